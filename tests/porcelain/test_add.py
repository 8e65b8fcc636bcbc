import json
import os
from argparse import Namespace
from io import BytesIO
from pathlib import Path

import pytest

from plumbing.context import Context
from porcelain import add
from porcelain.parser import CommandParser
from tests.porcelain.conftest import CommandLine


def bodies(cli: CommandLine) -> list[str]:
    return [message["body"] for message in cli.run("list", "--json").json()]


def test_it_prints_the_short_id(cli: CommandLine) -> None:
    short = cli.ok("add", "hello").rstrip("\n")
    (message,) = cli.run("list", "--json").json()
    assert len(short) == 7
    assert message["id"].startswith(short)
    assert cli.ok("add", "-q", "more") == ""


def test_everything_that_a_message_has(cli: CommandLine) -> None:
    first = cli.ok("add", "first").strip()
    (message,) = cli.run(
        "add", "--json", "-m", "one", "-m", "two", "--tag", "b", "--tag", "a", "--tag", "b",
        "--meta", "n=5", "--meta", "x=-1.5e3", "--meta", "yes=true", "--meta", "no=false",
        "--meta", 'text="5"', "--meta", "id=007", "--meta", "url=a=b", "--author", "bob",
        "--time", "2026-01-31T12:30:00+01:00", "--reply-to", first,
    ).json()  # fmt: skip
    first_id = cli.run("show", "--json", first).json()[0]["id"]
    assert len(message.pop("id")) == 64
    assert len(message.pop("uuid")) == 32
    assert message == {
        "time": "2026-01-31T12:30:00.000000+01:00",
        "author": "bob",
        "body": "one\n\ntwo",
        "tags": ["a", "b"],
        "meta": {
            "n": 5, "x": -1500.0, "yes": True, "no": False, "text": "5", "id": "007", "url": "a=b"
        },
        "reply_to": first_id,
    }  # fmt: skip


def test_it_prints_what_list_prints(cli: CommandLine) -> None:
    said = cli.ok("add", "--json", "x", "--meta", "bb=1", "--meta", "c=2", "--meta", "a=3.0")
    assert cli.ok("list", "--json") == said


def test_the_message_comes_from_arguments_a_file_or_standard_input(cli: CommandLine) -> None:
    (cli.folder / "note.txt").write_text("from a file\nof lines\n\n")
    cli.ok("add", "several", " words ")
    cli.ok("add", "-F", "note.txt")
    cli.ok("add", "-F", "-", stdin="by -F -\n")
    cli.ok("add", "-", stdin="by -\r\n")
    cli.ok("add", stdin="  by a pipe\n")
    assert bodies(cli) == [
        "  by a pipe", "by -", "by -F -", "from a file\nof lines", "several  words "
    ]  # fmt: skip


@pytest.mark.parametrize("text", [["-", "foo"], ["foo", "-"], ["-", "-"]], ids=" ".join)
def test_standard_input_is_not_lost_beside_other_text(cli: CommandLine, text: list[str]) -> None:
    said = cli.fails(2, "add", *text, stdin="hi\n")
    assert said == (
        "- is standard input only where no other text is."
        " Write it after -- where it is text: `msglog add -- - TEXT`."
    )
    assert bodies(cli) == []
    cli.ok("add", "--", *text)
    cli.ok("add", " ".join(text))
    assert bodies(cli) == [" ".join(text)] * 2


def test_a_hyphen_between_words_is_a_dash(cli: CommandLine) -> None:
    cli.ok("add", "pump", "3", "-", "failed")
    assert bodies(cli) == ["pump 3 - failed"]


@pytest.mark.parametrize(
    ("arguments", "stdin"),
    [
        ([], b""),
        (["  "], b""),
        (["-m", ""], b""),
        (["-"], b"\n\n"),
        (["a", "-m", "b"], b""),
        (["a", "-F", "-"], b"b"),
        (["-F", "nowhere"], b""),
        (["-F", "/"], b""),
        (["-"], b"\xff"),
        (["\udcff"], b""),
        (["a", "--author", ""], b""),
        (["a", "--author", "x" * 257], b""),
        (["a", "--tag", ""], b""),
        (["a", "--tag", "x" * 129], b""),
        (["a", "--meta", "x"], b""),
        (["a", "--meta", "=x"], b""),
        (["a", "--meta", "x=1", "--meta", "x=2"], b""),
        (["a", "--time", "soon"], b""),
        (["a", "--reply-to", "xyz"], b""),
        (["a", "--log", "other"], b""),
        (["a", "--log", "../x"], b""),
        (["a", "--batch"], b""),
        (["--batch"], b"good\n\xff\n"),
        (["--batch", "--json"], b"{}"),
        (["--batch", "--json"], b'{"body":"good"}\nnot json\n'),
        (["--batch", "--json"], b'{"body":"x","tag":"y"}'),
        (["--batch", "--json"], b'{"body":5}'),
        (["--batch", "--json"], b'{"body":"\\ud800"}'),
        (["--batch", "--json"], b'{"body":"x","meta":{"a":NaN}}'),
        (["--batch", "--json"], b'{"body":"x","meta":{"a":[1]}}'),
        (["--batch", "--json"], b'{"body":"x","meta":{"a":' + b"9" * 5000 + b"}}"),
        (["--batch", "--json"], b'{"body":"x","uuid":"12"}'),
        (["--batch", "--json"], b'{"body":"x","time":"soon"}'),
        (["--batch", "--json"], b'{"body":"x","reply_to":"12"}'),
        (["--batch", "--json"], b"[" * 100_000),
    ],
)
def test_what_is_no_message_is_refused_and_nothing_added(
    cli: CommandLine, arguments: list[str], stdin: bytes
) -> None:
    cli.fails(2, "add", *arguments, stdin=stdin)
    assert bodies(cli) == []


def test_an_unknown_log_is_refused_not_made(cli: CommandLine) -> None:
    assert "msglog logs new other" in cli.fails(2, "add", "x", "--log", "other")
    assert cli.ok("logs") == "main  0\n"


def test_a_reply_to_what_is_not_here_yet(cli: CommandLine) -> None:
    cli.ok("add", "x", "--reply-to", "AB" * 32)
    assert cli.run("list", "--json").json()[0]["reply_to"] == "ab" * 32
    assert "no message abcd" in cli.fails(1, "add", "x", "--reply-to", "abcd")


def test_the_author_is_the_first_that_is_said(cli: CommandLine) -> None:
    def author(*arguments: str, environment: dict[str, str] | None = None) -> str:
        result = cli.run("add", "x", "--json", *arguments, environment=environment)
        return str(result.json()[0]["author"])

    nobody = {"MSGLOG_AUTHOR": ""}
    host = os.uname().nodename.partition(".")[0]
    assert author(environment=nobody).endswith(f"@{host}")
    cli.ok("config", "--global", "set", "user.author", "carol")
    assert author(environment=nobody) == "carol"
    cli.ok("config", "set", "user.author", "dave")
    assert author(environment=nobody) == "dave"
    assert author(environment={"MSGLOG_AUTHOR": "eve"}) == "eve"
    assert author("--author", "frank", environment={"MSGLOG_AUTHOR": "eve"}) == "frank"


def test_a_batch_is_one_transaction_in_the_order_of_its_lines(cli: CommandLine) -> None:
    out = cli.ok("add", "--batch", "--tag", "t", stdin="one\n\n  two \r\nthree")
    assert len(out.split()) == 3
    assert bodies(cli) == ["three", "  two ", "one"]
    assert {tuple(message["tags"]) for message in cli.run("list", "--json").json()} == {("t",)}
    assert "line 2" in cli.fails(2, "add", "--batch", stdin=b"fine\n\xff\n")
    assert len(bodies(cli)) == 3
    assert cli.ok("add", "--batch", stdin="") == ""


def test_what_list_prints_as_json_can_be_added_again_under_the_same_ids(cli: CommandLine) -> None:
    cli.ok("add", "--batch", stdin="one\ntwo\n")
    cli.ok("add", "\u202eodd \x1b text\u2028", "--meta", "x=0.1", "--time", "@-99999999999")
    printed = cli.ok("list", "--json")
    assert cli.ok("add", "--batch", "--json", stdin=printed) == printed
    assert cli.ok("list", "--json") == printed
    other = cli.folder.parent / "other"
    other.mkdir()
    cli.ok("-C", str(other), "init", "-q")
    cli.ok("-C", str(other), "add", "--batch", "--json", stdin=printed)
    assert cli.ok("-C", str(other), "list", "--json") == printed


def test_fields_that_json_leaves_out_are_as_on_the_command_line(cli: CommandLine) -> None:
    line = json.dumps({"body": "x", "id": "ignored", "reply_to": None, "tags": ["b", "a", "b"]})
    (message,) = cli.run("add", "--batch", "--json", "--author", "bob", stdin=line).json()
    assert (message["author"], message["tags"], message["meta"]) == ("bob", ["a", "b"], {})


def test_large_numbers_stay_what_they_are(cli: CommandLine) -> None:
    (message,) = cli.run(
        "add", "x", "--json", "--meta", f"big={2**63 - 1}", "--meta", f"bigger={2**63}",
        "--meta", "huge=1e999",
    ).json()  # fmt: skip
    assert message["meta"] == {"big": 2**63 - 1, "bigger": str(2**63), "huge": "1e999"}


def test_a_body_over_the_limit_is_refused(cli: CommandLine) -> None:
    assert "16777216 bytes" in cli.fails(2, "add", "-", stdin=b"x" * ((16 << 20) + 1))


def test_a_file_is_read_from_the_chosen_folder(cli: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("there")
    cli.ok("-C", str(cli.folder), "add", "-F", str(tmp_path / "note"))
    assert bodies(cli) == ["there"]


def test_the_lines_of_a_batch_have_times_of_their_own_even_if_the_clock_stands(
    cli: CommandLine,
) -> None:
    arguments = CommandParser()
    add.configure(arguments)
    context = Context(
        directory=str(cli.folder),
        home=str(cli.folder),
        stdin=BytesIO(b"c\nb\na\n"),
        stdout=BytesIO(),
        stderr=BytesIO(),
        author="ann",
        now=lambda: 5,
        local_offset=lambda _: 60,
    )
    assert add.run(arguments.parse(["--batch"], Namespace()), context) == 0
    times = [message["time"] for message in cli.run("list", "--json", "--reverse").json()]
    assert times == [f"1970-01-01T01:00:00.00000{digit}+01:00" for digit in (5, 6, 7)]
    assert bodies(cli) == ["a", "b", "c"]


def test_a_batch_has_a_limit(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(add, "BATCH_BYTES_LIMIT", 1 << 20)
    line = b"x" * 1023 + b"\n"
    for stdin in (line * 1025, b"x" * (1 << 21)):
        assert "at most 1 MiB" in cli.fails(2, "add", "--batch", stdin=stdin)
    assert bodies(cli) == []
    cli.ok("add", "--batch", "-q", stdin=line * 1024)
    assert len(bodies(cli)) == 1024


def test_a_repository_has_tags_of_its_own(cli: CommandLine) -> None:
    def tags(*arguments: str) -> list[str]:
        (message,) = cli.run("add", "x", "--json", *arguments).json()
        return list(message["tags"])

    cli.ok("config", "--global", "set", "add.tags", "laptop")
    assert tags() == ["laptop"]
    cli.ok("config", "set", "add.tags", " shift, beam-line,, ")
    assert tags() == ["beam-line", "shift"]
    assert tags("--tag", "a", "--tag", "shift") == ["a", "beam-line", "shift"]
    assert tags("--tag", "a", "--no-default-tags") == ["a"]
    assert cli.ok("add", "--batch", "-q", stdin="one") == ""
    assert cli.run("list", "--json", "-n1").json()[0]["tags"] == ["beam-line", "shift"]
    line = cli.ok("list", "--json", "-n2").splitlines()[1]
    assert cli.ok("add", "--batch", "--json", stdin=line) == line + "\n"
    (cli.folder / ".msglog" / "config.toml").write_text('[add]\ntags = ["beam line", "x, y"]\n')
    assert tags() == ["beam line", "x, y"]
    (cli.folder / ".msglog" / "config.toml").write_text("[add]\ntags = 5\n")
    assert "add.tags cannot be used" in cli.fails(7, "add", "x")


def test_quiet_prints_nothing_with_json_either(cli: CommandLine) -> None:
    assert cli.ok("add", "--batch", "--json", "-q", stdin='{"body": "x"}\n') == ""
    assert cli.ok("list", "--format", "%s") == "x\n"


def test_json_lines_may_begin_with_a_byte_order_mark(cli: CommandLine) -> None:
    lines = b'\xef\xbb\xbf{"body": "one"}\r\n{"body": "\xef\xbb\xbftwo"}\r\n'
    assert cli.run("add", "--batch", "--json", stdin=lines).status == 0
    assert sorted(bodies(cli)) == ["one", "\ufefftwo"]


def test_a_batch_has_a_limit_of_lines_as_well(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each line costs more memory than its own bytes: of `yes`, all that there is."""
    monkeypatch.setattr(add, "BATCH_MESSAGES_LIMIT", 3)
    assert len(cli.ok("add", "--batch", stdin="y\n" * 3).splitlines()) == 3
    assert cli.fails(2, "add", "--batch", stdin="y\n" * 4) == "a batch is at most 3 lines."
    assert cli.ok("logs") == "main  3\n"
