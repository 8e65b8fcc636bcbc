import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
import time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from porcelain import recorded_run, run_streams
from porcelain.cli import main
from porcelain.recorded_run import EXAMPLE
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

ROOT = Path(__file__).parents[2]


def last(cli: CommandLine) -> dict[str, Any]:
    (message,) = cli.run("list", "--json", "-n1").json()
    return dict(message)


def script(text: str) -> list[str]:
    return ["--run", "sh", "-c", text]


def test_both_streams_and_the_status_are_passed_on_and_the_end_is_added(cli: CommandLine) -> None:
    result = cli.run("add", "--tag", "ci", *script("echo out; sleep 0.01; echo err >&2; exit 3"))
    assert (result.status, result.out) == (3, "out\n")
    message = last(cli)
    seconds = message["meta"].pop("run.seconds")
    assert 0.01 <= seconds < 60
    command = "sh -c 'echo out; sleep 0.01; echo err >&2; exit 3'"
    assert message["meta"] == {"run.command": command, "run.status": 3, "run.lines": 2}
    verdict, _, after = message["body"].partition(" after ")
    assert verdict == f"{command}: exit status 3"
    assert after.endswith(" ms\n\nout\nerr")
    assert message["tags"] == ["ci"]
    assert result.error.startswith(f"err\nmsglog: {message['id'][:7]} {command}: exit status 3 ")


def test_what_follows_belongs_to_the_command(cli: CommandLine) -> None:
    assert cli.run("add", "-q", "--run", "echo", "--json", "--", "-n", "--run").out == (
        "--json -- -n --run\n"
    )
    assert cli.run("add", "--color=never", "--run", "--", "echo", "--", "x").out == "-- x\n"
    assert last(cli)["meta"]["run.command"] == "echo -- x"
    result = cli.run("add", "-q", "Cleaned", "up", "--meta", "k=1", "--run", "true")
    assert (result.status, result.out, result.error) == (0, "", "")
    assert last(cli)["body"].startswith("Cleaned up\n\ntrue: exit status 0 after ")
    assert last(cli)["meta"]["k"] == 1


def test_json_goes_where_it_is_not_mixed_with_the_output(cli: CommandLine) -> None:
    result = cli.run("--json", "add", "--run", "echo", "out")
    assert result.out == "out\n"
    assert json.loads(result.error) == last(cli)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--run"], ["--run", "--"], ["--lines", "5"], ["--lines", "-1", "--run", "touch", "x"],
        ["--lines", "1001", "--run", "touch", "x"], ["--lines", "x", "--run", "touch", "x"],
        ["--batch", "--run", "touch", "x"], ["-", "--run", "touch", "x"],
        ["-F", "-", "--run", "touch", "x"], ["--meta", "run.status=1", "--run", "touch", "x"],
        ["--tag", "x" * 200, "--run", "touch", "x"], ["--log", "no", "--run", "touch", "x"],
        [*(f"--meta=k{n}=1" for n in range(60)), "--run", "touch", "x"],
    ],
)  # fmt: skip
def test_what_cannot_be_added_is_said_before_anything_runs(
    cli: CommandLine, arguments: list[str]
) -> None:
    cli.fails(2, "add", *arguments)
    assert not (cli.folder / "x").exists()


def test_what_cannot_be_run_has_the_status_of_a_shell(cli: CommandLine) -> None:
    (cli.folder / "plain").write_text("")
    assert "No such file" in cli.fails(127, "add", "--run", "no-such-program")
    assert "Permission denied" in cli.fails(126, "add", "--run", "./plain")
    assert cli.ok("list") == ""


def test_where_it_cannot_be_added_it_is_at_least_said(cli: CommandLine) -> None:
    result = cli.run("add", *script("mv .msglog gone; exit 3"))
    assert result.status == 7
    assert re.match(
        r"msglog: sh -c .* exit status 3 after .*\nmsglog: error: there is no repository",
        result.error,
    )


def test_a_signal_is_named(cli: CommandLine) -> None:
    assert cli.run("add", *script("kill -9 $$")).status == 128 + 9
    assert last(cli)["meta"]["run.signal"] == "SIGKILL"
    assert "ended by SIGKILL after" in last(cli)["body"]


def test_the_last_lines_are_kept_as_a_terminal_would_have_left_them(cli: CommandLine) -> None:
    text = r"seq 100; printf '\033[1;31mred\033[0m \033]0;title\007x\r\n 10%%\r 20%%\r\nend'"
    cli.run("add", "-q", "--lines", "5", *script(text))
    assert last(cli)["body"].partition("\n\n")[2] == (
        "The last 5 of 103 lines:\n99\n100\nred x\n 20%\nend"
    )
    cli.run("add", "-q", "--lines", "0", *script(text))
    assert "\n" not in last(cli)["body"].strip()
    assert last(cli)["meta"]["run.lines"] == 103


def test_memory_is_bounded_by_lines_of_bounded_length() -> None:
    tail = recorded_run._Tail(2)
    lines = recorded_run._Lines(tail)
    for _ in range(100):
        lines.take(b"x" * 65536)
    assert len(lines._unfinished) == recorded_run.LINE_BYTES_LIMIT
    lines.take(b"y" * 65536 + b"\rdone")
    lines.take(b"\nz")
    lines.end()
    assert tail.count == 2
    assert [len(line) for line in tail.readable()] == [4, 1]  # "done" and "z"
    for _ in range(100):
        lines.take(b"%" * 999 + b"\r")
    lines.take(b"100 %\n")
    assert tail.readable()[-1] == "100 %"


def test_a_line_that_is_written_in_parts_is_one_line() -> None:
    tail = recorded_run._Tail(5)
    out, error = recorded_run._Lines(tail), recorded_run._Lines(tail)
    out.take(b"a")
    error.take(b"x\ny")
    out.take(b"b\nc")
    error.end()
    out.end()
    assert tail.readable() == ("x", "ab", "y", "c")
    out.take(b"\xff\n")
    assert tail.readable()[-1] == "\ufffd"


def test_what_is_left_running_is_not_waited_for(cli: CommandLine) -> None:
    begun = time.monotonic()
    result = cli.run("add", "-q", *script("sleep 60 & echo $!"))
    os.kill(int(result.out), signal.SIGTERM)
    assert time.monotonic() - begun < 30
    assert last(cli)["meta"]["run.lines"] == 1


def test_what_is_left_running_may_write_for_ever(cli: CommandLine) -> None:
    result = cli.run("add", "-q", *script("(while sleep 0.05; do echo more; done) & exit 3"))
    assert result.status == 3
    assert last(cli)["meta"]["run.status"] == 3


def test_the_commands_terminal_has_the_size_of_ours(cli: CommandLine) -> None:
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, (33, 77))
    with open(slave, "wb", buffering=0) as out, open(master, "rb", buffering=0) as shown:
        streams = (BytesIO(), out, BytesIO())
        assert main(["add", "-q", *script("stty size <&1")], cli.environment, *streams) == 0
        assert shown.read(64) == b"33 77\r\n"


def test_where_there_are_no_terminals_to_be_had_a_pipe_will_do(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as without:
        without.setattr(run_streams, "_open_terminal", lambda: None)
        result = on_terminal(cli, "add", "-q", *script("test -t 1 || echo a pipe; exit 3"))
    assert (result.status, result.out) == (3, "a pipe\n")


def test_on_a_terminal_the_command_has_a_terminal(cli: CommandLine) -> None:
    test = "test -t 1 && echo yes || echo no; test -t 2 && echo yes >&2 || echo no >&2"
    result = on_terminal(cli, "add", "-q", *script(test))
    assert (result.out, result.error) == ("yes\n", "no\n")
    assert on_terminal(cli, "add", "-q", *script(test), error=True).error == "yes\n"
    assert last(cli)["body"].endswith("\n\nno\nyes") or last(cli)["body"].endswith("yes\nno")


def test_a_reader_that_goes_away_ends_the_command_as_ever(cli: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with open(writing, "wb", buffering=0) as out:
        status = main(["add", "-q", "--run", "yes"], cli.environment, BytesIO(), out, BytesIO())
    assert status == 141
    assert last(cli)["meta"]["run.signal"] == "SIGPIPE"


def processes(cli: CommandLine) -> dict[str, str]:
    path = os.pathsep.join([str(ROOT), *sys.path])
    return {**cli.environment, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_command_and_is_added(cli: CommandLine, number: int) -> None:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # else it may be ignored
    process = subprocess.Popen(
        [sys.executable, "-c", "import sys; from porcelain.cli import run; sys.exit(run())",
         "add", "--run", "sh", "-c", "echo ready; exec sleep 60"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=processes(cli), start_new_session=True,
    )  # fmt: skip
    signal.signal(signal.SIGINT, before)
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"
    if number == signal.SIGINT:
        os.killpg(process.pid, number)  # as a terminal does it
    else:
        process.terminate()
    _, error = process.communicate(timeout=60)
    assert process.returncode == 128 + number, error
    assert last(cli)["meta"]["run.signal"] == signal.Signals(number).name


def test_a_signal_while_the_command_is_started_reaches_it(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = subprocess.Popen

    def interrupted(*words: Any, **options: Any) -> Any:
        os.kill(os.getpid(), signal.SIGTERM)
        return start(*words, **options)

    monkeypatch.setattr("porcelain.recorded_run.subprocess.Popen", interrupted)
    result = cli.run("add", "--run", sys.executable, "-c", "input()")
    assert result.status == 128 + signal.SIGTERM
    assert last(cli)["meta"]["run.signal"] == "SIGTERM"


def test_a_command_that_is_not_utf8_can_be_told(cli: CommandLine) -> None:
    assert cli.run("add", "-q", "--run", "true", "\udcff").status == 0
    assert last(cli)["meta"]["run.command"] == "true '\ufffd'"


def test_the_example_has_every_field(cli: CommandLine) -> None:
    cli.run("add", "-q", *script("kill -9 $$"))
    assert last(cli)["meta"].keys() == EXAMPLE.meta().keys()


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.0123, "12 ms"), (9.96, "10.0 s"), (59.9, "59.9 s"), (61, "1 min 1 s"), (7320, "2 h 2 min")],
)
def test_durations(seconds: float, expected: str) -> None:
    assert recorded_run._duration(seconds) == expected


def test_a_line_for_a_shell_is_told_how_to_be_run(cli: CommandLine) -> None:
    result = cli.run("add", "--run", "echo 'hi'")
    assert result.status == 127
    said = r"""`msglog add --run sh -c 'echo '"'"'hi'"'"''`."""
    assert result.error.endswith(
        f"(No such file or directory). A line for a shell is run by {said}\n"
    )
    assert "sh -c" not in cli.run("add", "--run", "no such", "program").error
