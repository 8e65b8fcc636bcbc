import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from io import BufferedWriter, BytesIO, RawIOBase
from pathlib import Path
from types import SimpleNamespace

import pytest

from msglog.errors import (
    IntegrityError,
    LocalError,
    MsglogError,
    NegativeAnswer,
    NotAuthorisedError,
    RefusedError,
    RemoteError,
    UsageError,
)
from msglog.repository import Repository
from msglog.version import __version__
from porcelain import status
from porcelain.cli import _standard_output, _stream, main
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

RUN = [sys.executable, "-c", "import sys; from porcelain.cli import run; sys.exit(run())"]


def test_help_shows_what_there_is(empty: CommandLine) -> None:
    screen = empty.ok("help")
    assert "msglog init" in screen
    assert empty.ok("--help") == empty.ok("-h") == screen


@pytest.mark.parametrize("columns", [40, 60, 80, 200])
def test_the_list_of_commands_breaks_no_word(empty: CommandLine, columns: int) -> None:
    shown = on_terminal(empty, "help", environment={"COLUMNS": f"{columns}", "NO_COLOR": "1"}).out
    lines = shown.splitlines()
    assert max(map(len, lines)) <= columns
    assert shown.split() == empty.ok("help").split()
    assert f"  {'init':23}" in shown if columns > 50 else "  init\n      makes" in shown


def test_the_version(empty: CommandLine) -> None:
    assert empty.ok("--version") == f"msglog {__version__}\n"


def test_mistyped_commands_and_options_are_guessed(cli: CommandLine) -> None:
    assert cli.fails(2, "lst").endswith("Did you mean list?")
    assert cli.fails(2, "xyzzy").endswith("See `msglog help`.")
    assert cli.fails(2, "list", "--jsn").endswith("Did you mean --json?")
    assert cli.fails(2, "--jsn", "list").endswith("Did you mean --json?")
    assert cli.fails(2, "commit").endswith("Did you mean add?")
    assert cli.fails(2, "version").endswith("Did you mean --version or verify?")
    assert cli.fails(2, "help", "statsu").endswith("Did you mean stats or status?")


def test_a_name_that_no_remote_can_have_is_not_to_be_added(cli: CommandLine) -> None:
    cli.ok("remote", "add", "laboratory", "server@lab")
    for name in ("a b", "-3"):
        said = cli.fails(2, "push", "--", name)
        assert said == f"there is no remote {name!r}. See `msglog remote` for those that there are."
    assert cli.fails(2, "push", "labora tory").endswith("Did you mean laboratory?")


def test_a_log_where_a_remote_stands(cli: CommandLine) -> None:
    for command in ("push", "pull", "fetch", "sync"):
        assert "`msglog remote add main URL`" in cli.fails(2, command, "main")
    cli.ok("remote", "add", "lab", "server@lab")
    assert cli.fails(2, "pull", "main").endswith("behind its remote, as in `lab main`.")
    said = "there is no remote 'origin'. Name the one that you mean: lab."
    assert cli.fails(2, "pull") == cli.fails(2, "push", "origin") == said
    cli.ok("remote", "add", "origin", "server@lab")
    for command in ("push", "pull", "fetch", "sync"):
        assert cli.fails(2, command, "main").endswith("behind its remote, as in `origin main`.")
    assert cli.fails(2, "push", "orgin").startswith("there is no remote 'orgin'. Did you mean")


def test_mistyped_names_are_guessed(cli: CommandLine) -> None:
    cli.ok("logs", "new", "beamline/shifts")
    cli.ok("remote", "add", "laboratory", "server@lab")
    for arguments in (["list", "--log"], ["add", "x", "--log"], ["watch", "."]):
        said = cli.fails(2, *arguments, "beamline/shift")
        assert "Did you mean beamline/shifts? Else make it with `msglog logs new beam" in said
        said = cli.fails(2, *arguments, "xyz")
        assert said == "there is no log 'xyz'. Make it with `msglog logs new xyz`."
    for arguments in (
        ["push"],
        ["pull"],
        ["watch"],
        ["remote", "show"],
        ["admin", "user", "list", "--remote"],
    ):
        said = cli.fails(2, *arguments, "labratory")
        assert "Did you mean laboratory? Else add it with `msglog remote add labratory" in said
        said = cli.fails(2, *arguments, "xyz")
        assert said == "there is no remote 'xyz'. Add it with `msglog remote add xyz URL`."


def test_a_remote_that_nobody_named_is_missed(cli: CommandLine) -> None:
    said = "there is no remote 'origin'. Add it with `msglog remote add origin URL`."
    for arguments in (["push"], ["ls-remote"], ["verify", "--repair", "origin"]):
        assert cli.fails(2, *arguments) == said
    for plumbing in ("ls-remote", "send-pack", "fetch-pack"):
        assert cli.fails(2, plumbing, "origin") == said


def test_what_is_to_go_is_not_to_be_made(cli: CommandLine) -> None:
    cli.ok("logs", "new", "shifts")
    cli.ok("remote", "add", "laboratory", "server@lab")
    for arguments in (["logs", "delete", "{}"], ["logs", "rename", "{}", "new"]):
        said = cli.fails(2, *[word.format("shits") for word in arguments])
        assert said == "there is no log 'shits'. Did you mean shifts?"
        said = cli.fails(2, *[word.format("xyz") for word in arguments])
        assert said == "there is no log 'xyz'. See `msglog logs` for those that there are."
    for arguments in (["remote", "remove", "{}"], ["remote", "rename", "{}", "new"]):
        said = cli.fails(2, *[word.format("labratory") for word in arguments])
        assert said == "there is no remote 'labratory'. Did you mean laboratory?"
        said = cli.fails(2, *[word.format("xyz") for word in arguments])
        assert said == "there is no remote 'xyz'. See `msglog remote` for those that there are."
    assert cli.fails(2, "remote", "ad").endswith("Did you mean add?")
    assert cli.fails(2, "logs", "delte", "x").endswith("Did you mean delete?")
    assert cli.fails(2, "list", "--color", "alway").endswith("Did you mean always?")
    assert cli.fails(2, "logs", "xyz").endswith("See `msglog logs --help`.")


def test_names_from_the_command_line_do_not_reach_the_terminal(cli: CommandLine) -> None:
    for name in ("\x1b]0;x\x07", "a\nb", "\u202e"):
        cli.fails(2, name)
        cli.fails(2, "list", f"--{name}")
        cli.fails(2, "list", name)
        cli.fails(2, "list", "--log", name)
        cli.fails(2, "list", "--since", name)
        cli.fails(2, "list", "--format", f"%{name}")
        cli.fails(2, "-C", name, "list")
        cli.fails(2, "remote", "get-url", name)
        cli.fails(2, "remote", name)


def test_global_options_stand_before_or_after_the_command(cli: CommandLine) -> None:
    cli.ok("add", "hello")
    before, after = cli.run("--json", "list").json(), cli.run("list", "--json").json()
    assert before == after
    assert before[0]["body"] == "hello"
    assert cli.run("--json", "logs", "new", "a").json()[0]["log"] == "a"
    assert cli.run("logs", "new", "b", "--json").json()[0]["log"] == "b"
    assert cli.run("logs", "--json", "new", "c").json()[0]["log"] == "c"


def test_abbreviated_options_are_refused(cli: CommandLine) -> None:
    cli.fails(2, "list", "--js")
    cli.fails(2, "--js", "list")


def test_text_and_options_may_be_mixed(cli: CommandLine) -> None:
    cli.ok("add", "hello", "--tag", "t", "world")
    (message,) = cli.run("list", "--json").json()
    assert (message["body"], message["tags"]) == ("hello world", ["t"])


def test_a_value_that_begins_with_a_hyphen_is_explained(cli: CommandLine) -> None:
    assert "Write `--since=-2h`" in cli.fails(2, "list", "--since", "-2h")
    assert "Write `--since=-2h`" in cli.fails(2, "list", "--after", "-2h").replace("after", "since")
    assert "Write `--file=-x`" in cli.fails(2, "add", "-F", "-x").replace("-F-x", "--file=-x")
    cli.ok("list", "--since=-2h")
    assert "See `msglog list --help`" in cli.fails(2, "list", "--since")


def test_after_two_hyphens_nothing_is_an_option(cli: CommandLine) -> None:
    cli.ok("add", "--tag", "t", "--", "--json", "-h")
    cli.ok("-C", ".", "add", "--", "--", "-x")
    bodies = [message["body"] for message in cli.run("list", "--json").json()]
    assert bodies == ["-- -x", "--json -h"]


def test_chosen_folders_add_up(cli: CommandLine) -> None:
    (cli.folder / "a" / "b").mkdir(parents=True)
    cli.ok("-C", "a", "init", "-C", "b", "-q")
    assert (cli.folder / "a" / "b" / ".msglog").is_dir()
    assert "no such folder" in cli.fails(2, "-C", "nowhere", "list")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MsglogError, 70),
        (NegativeAnswer, 1),
        (UsageError, 2),
        (NotAuthorisedError, 3),
        (RemoteError, 4),
        (IntegrityError, 5),
        (RefusedError, 6),
        (LocalError, 7),
    ],
)
def test_each_kind_of_error_has_its_status(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, error: type[MsglogError], expected: int
) -> None:
    def fail(*_: object) -> int:
        raise error("it\x1b[31m failed", why="a\nb", hint="Do this.")

    monkeypatch.setattr(status, "run", fail)
    assert cli.fails(expected, "status") == "it\\x1b[31m failed (a\\nb). Do this."


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(28, "No space left on device", "/x"), 7),
        (MemoryError(), 7),
        (ValueError("a\nb"), 70),
        (SystemExit(0), 70),
    ],
)
def test_what_nobody_meant_is_one_line_too(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, error: BaseException, expected: int
) -> None:
    def fail(*_: object) -> int:
        raise error

    monkeypatch.setattr(status, "run", fail)
    line = cli.fails(expected, "status")
    assert ("MSGLOG_DEBUG=1" in line) == (expected == 70)
    debugged = cli.run("status", environment={"MSGLOG_DEBUG": "1"})
    assert debugged.status == expected
    assert "Traceback" in debugged.error


def test_an_interrupt_is_130_in_silence(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(status, "run", interrupt)
    assert cli.run("status").status == 130
    assert cli.run("status").error == ""


class FullDisk(RawIOBase):
    def writable(self) -> bool:
        return True

    def write(self, _data: object) -> int:
        raise OSError(28, "No space left on device")


def test_output_that_cannot_be_written_is_a_local_failure(cli: CommandLine) -> None:
    error = BytesIO()
    full = _standard_output(SimpleNamespace(buffer=FullDisk()))
    assert main(["logs"], cli.environment, BytesIO(), full, error) == 7
    said = b"msglog: error: standard output cannot be written (No space left on device).\n"
    assert error.getvalue() == said


def test_output_that_does_not_wait_is_named(cli: CommandLine) -> None:
    cli.ok("add", "x" * 200_000)
    read, write = os.pipe()
    os.set_blocking(write, False)
    done = subprocess.run(
        [*RUN, "list"], stdout=write, stderr=subprocess.PIPE, env=processes(cli), check=False
    )
    os.close(read)
    os.close(write)
    assert done.returncode == 7
    assert done.stderr.startswith(b"msglog: error: standard output cannot be written (")


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["list", "--json"],
        ["search", "word"],
        ["export"],
        ["backup", "-"],
        ["add", "--help"],
        ["config", "list"],
        ["init", "other"],
        ["--version"],
    ],
    ids=" ".join,
)
def test_output_that_cannot_be_written_is_named(cli: CommandLine, arguments: list[str]) -> None:
    cli.ok("add", "word " * 10_000)
    cli.ok("config", "set", "user.author", "ann")
    done = into_full_disk(cli, *arguments)
    said = b"msglog: error: standard output cannot be written (No space left on device).\n"
    assert (done.returncode, done.stderr) == (7, said)


class ByThree(RawIOBase):
    """A raw stream that takes three bytes at a time, as raw streams may."""

    def __init__(self) -> None:
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        part = bytes(memoryview(data)[:3])  # type: ignore[arg-type]
        self.taken += part
        return len(part)


def test_unbuffered_output_is_written_whole(cli: CommandLine) -> None:
    raw = ByThree()
    stdout = _standard_output(SimpleNamespace(buffer=raw))
    assert main(["logs"], cli.environment, BytesIO(), stdout, BytesIO()) == 0
    assert raw.taken == b"main  0\n"


def test_an_interrupt_has_nothing_written_twice() -> None:
    """What runs in Python between a raw write and its return may be interrupted there."""
    raw = ByThree()
    stdout = _standard_output(SimpleNamespace(buffer=BufferedWriter(raw)))
    assert getattr(stdout, "raw", None) is raw


def test_a_closed_descriptor_is_no_stream_of_ours() -> None:
    with _stream(None, "wb") as stream:
        assert stream.name == os.devnull


def test_folders_are_shown_without_detours(cli: CommandLine, tmp_path: Path) -> None:
    made = cli.ok("init", "sub/../other")
    assert made == f"Made a repository in {cli.folder}/other/.msglog\n"
    (cli.folder / "sub").mkdir()
    shown = f"Repository {cli.folder}/other/.msglog\n"
    assert cli.ok("-C", "sub/../other", "status").startswith(shown)
    assert cli.ok("-C", "sub", "-C", "../other", "status").startswith(shown)
    in_it = {"MSGLOG_DIR": "sub/../other/.msglog"}
    assert cli.run("status", environment=in_it).out.startswith(shown)
    assert f"{cli.folder}/nope" in cli.fails(4, "push", "sub/../nope")
    (cli.folder / "link").symlink_to(tmp_path)
    (tmp_path.parent / "far").mkdir()
    assert f"no repository in {tmp_path.parent}/far or" in cli.fails(7, "-C", "link/../far", "list")


def processes(cli: CommandLine) -> dict[str, str]:
    path = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    return {**cli.environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


def into_full_disk(
    cli: CommandLine, *arguments: str, stdin: bytes = b"", unbuffered: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """Run a command line whose standard output takes nothing."""
    with open("/dev/full", "wb") as full:
        return subprocess.run(
            [*RUN, *arguments],
            input=stdin,
            stdout=full,
            stderr=subprocess.PIPE,
            env={**processes(cli), "PYTHONUNBUFFERED": "1" if unbuffered else ""},
            check=False,
        )


def test_a_closed_pipe_is_141_in_silence(cli: CommandLine) -> None:
    cli.ok("add", "--batch", stdin="".join(f"{'x' * 100} {n}\n" for n in range(3000)))
    for unbuffered in ("", "1"):
        process = subprocess.Popen(
            [*RUN, "list", "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**processes(cli), "PYTHONUNBUFFERED": unbuffered},
        )
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait(timeout=60) == 141


def test_a_full_disk_is_one_line_and_status_7(cli: CommandLine) -> None:
    done = into_full_disk(cli, "logs")
    said = b"msglog: error: standard output cannot be written (No space left on device).\n"
    assert (done.returncode, done.stderr) == (7, said)
    done = into_full_disk(cli, "logs", unbuffered=True)
    assert (done.returncode, done.stderr) == (7, said)


def test_what_was_added_is_said_where_output_cannot_be_written(cli: CommandLine) -> None:
    """Else a script that tries again would add it twice."""
    why = "standard output cannot be written (No space left on device)"
    for arguments in (["add", "one"], ["add", "--json", "one"]):
        done = into_full_disk(cli, *arguments)
        added = cli.run("list", "--json", "-n", "1").json()[0]["id"][:7]
        said = f"msglog: error: added {added}, but {why}.\n"
        assert (done.returncode, done.stderr.decode()) == (7, said)
    done = into_full_disk(cli, "add", "--batch", stdin=b"two\nthree\n")
    assert done.stderr.decode() == f"msglog: error: added 2 messages, but {why}.\n"
    assert len(cli.run("list", "--json").json()) == 4
    assert into_full_disk(cli, "add", "-q", "five").returncode == 0
    done = into_full_disk(cli, "add", "--run", "sh", "-c", "echo six; exit 3")
    recorded = cli.run("list", "--json", "-n", "1").json()[0]
    assert recorded["body"].endswith("\n\nsix")
    said = f"msglog: error: added {recorded['id'][:7]}, but {why}.\n"
    assert (done.returncode, done.stderr.decode().splitlines(keepends=True)[-1]) == (7, said)


@pytest.mark.parametrize(
    ("words", "status"),
    [("logs", 7), ("list --json", 7), ("add more", 7), ("add -q more", 0), ("verify -q", 0),
     ("add --run echo x", 7), ("add --run true", 0), ("help", 7)],
)  # fmt: skip
def test_output_that_was_closed_before(cli: CommandLine, words: str, status: int) -> None:
    cli.ok("add", "hello")
    shell = ["sh", "-c", 'exec "$@" >&-', "sh", *RUN, *words.split()]
    done = subprocess.run(shell, stderr=subprocess.PIPE, env=processes(cli), check=False)
    said = "standard output cannot be written (Bad file descriptor).\n" if status else ""
    assert done.returncode == status, done.stderr
    assert done.stderr.decode().endswith(said)
    assert done.stderr.count(b"error") == bool(status)


def test_a_pipe_that_is_closed_from_the_start(cli: CommandLine) -> None:
    cli.ok("add", "one line fits the buffer")
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [*RUN, "list"], stdout=write, stderr=subprocess.PIPE, env=processes(cli), check=False
    )
    os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.fixture
def heeded_interrupts() -> Iterator[None]:
    """Let processes be interrupted even where the tests run in the background of a shell.

    Such a shell has what it starts ignore SIGINT, and that is handed down; what is caught is not.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("heeded_interrupts")
def test_control_c_is_130_and_adds_nothing(cli: CommandLine) -> None:
    process = subprocess.Popen(
        [*RUN, "add", "--batch", "-v"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=processes(cli),
    )
    assert process.stdin is not None
    # Two pipes full: when the second has been taken, it is reading, and past its start.
    process.stdin.write(b"a line\n" * 40_000)
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out, error) == (130, b"", b"")
    with_store = Repository.open(cli.folder / ".msglog")
    assert with_store.log("main").count == 0
    with_store.close()


def test_receive_pack_starts_on_little() -> None:
    heavy = ("rich", "paramiko", "tomlkit", "tomllib", "json", "logging", "platformdirs")
    code = (
        "import sys; from porcelain.commands import load; import porcelain.cli\n"
        f"load('receive-pack'); print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


@pytest.mark.parametrize("arguments", [["add", "x"], ["list", "-n", "1"]])
def test_what_is_typed_daily_starts_on_little(cli: CommandLine, arguments: list[str]) -> None:
    cli.ok("add", "x")
    heavy = ("rich", "paramiko", "tomlkit", "tomllib", "json", "logging", "subprocess", "zstandard")
    code = (
        "import sys; from porcelain.cli import run\n"
        f"status = run(); print([name for name in {heavy!r} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=processes(cli),
        capture_output=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == b"[]"


def test_the_interpreter_has_nothing_to_look_through_at_its_exit() -> None:
    program = (
        "import gc, sys; from porcelain.cli import run\n"
        "status = run(); assert gc.get_freeze_count() > 1000; sys.exit(status)"
    )
    words = [sys.executable, "-c", program, "--version"]
    done = subprocess.run(words, check=True, capture_output=True)
    assert done.stdout.startswith(b"msglog ")


def test_a_folder_that_is_gone(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    gone = cli.folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    said = cli.fails(7, "status")
    assert (
        said == "cannot run in the current folder (it was removed). Change to another one with cd."
    )
    assert cli.ok("--version")
    assert cli.ok("-C", str(cli.folder), "logs") == "main  0\n"
    assert "it was removed" in cli.fails(7, "-C", "..", "logs")


def test_a_chosen_folder_that_is_none(cli: CommandLine) -> None:
    (cli.folder / "file").touch()
    assert "(it is not a folder)" in cli.fails(2, "-C", "file", "logs")
    assert "(there is no such folder)" in cli.fails(2, "-C", "nothing", "logs")
    (cli.folder / "round").symlink_to("round")
    assert "(Too many levels of symbolic links)" in cli.fails(2, "-C", "round", "logs")


def test_plumbing_pushes_no_log_that_there_is_not(cli: CommandLine) -> None:
    """It pushed an empty one, which `status` showed for ever as one that is not here."""
    cli.ok("init", "-q", "../shared")
    cli.ok("remote", "add", "origin", "../shared")
    assert cli.fails(2, "send-pack", "origin", "mian").startswith("there is no log 'mian'. Did you")
    assert "mian" not in cli.ok("for-each-ref")
    assert cli.ok("send-pack", "origin", "refs/logs/main").endswith("\trefs/logs/main\n")
