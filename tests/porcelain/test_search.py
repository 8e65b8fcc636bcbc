import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from msglog.encoding import encode
from msglog.key import make_key
from msglog.objectid import object_id
from msglog.repository import Repository
from msglog.search.seal import unseal
from msglog.store.collection import Retention
from msglog.timestamp import DAY
from porcelain.message_json import FIELDS
from tests.porcelain.conftest import CommandLine
from tests.porcelain.terminal import on_terminal

LINES = [
    {"time": "2026-01-01T10:00:00+00:00", "author": "ann", "body": "The pump failed\nat 3 am", "tags": ["beam"]},
    {"time": "2026-01-02T10:00:00+00:00", "author": "bob", "body": "pump repaired; the pump is fine"},
    {"time": "2026-01-03T10:00:00+02:00", "author": "joanna", "body": "naïve \x1b valve", "meta": {"k": 1}},
    {"time": "2026-02-04T10:00:00+00:00", "author": "ann", "body": "x" * 300},
]  # fmt: skip


@pytest.fixture
def filled(cli: CommandLine) -> CommandLine:
    text = "".join(json.dumps(line) + "\n" for line in LINES)
    cli.ok("add", "--batch", "--json", stdin=text)
    return cli


def authors(cli: CommandLine, *arguments: str) -> list[str]:
    return cli.ok("search", "--format", "%an", *arguments).split()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["pump"], "bob ann"),
        (["pump", "failed"], "ann"),
        (["PUMP -failed"], "bob"),
        (["--", "-pump"], "ann joanna"),
        (["pump", "NOT", "failed"], "bob"),
        (["naive"], "joanna"),
        (["author:ann"], "ann ann"),
        (["tag:BEAM"], "ann"),
        (["until:2026-01"], "joanna bob ann"),
        (["since:2026-01-02", "until:2026-01-03"], "joanna bob"),
        (["-n", "1", "pump"], "bob"),
        (["--max-count=1", "author:ann"], "ann"),
        (["log:m*", "pump"], "bob ann"),
        (["--log", "main", "pump"], "bob ann"),
        (["pump failed", "pump"], "ann"),
        (["meta:k"], "joanna"),
        (["meta:K=1.0"], "joanna"),
        (["meta:k=2 OR tag:beam"], "ann"),
        (["--", "pump", "-meta:k"], "bob ann"),
    ],
)
def test_what_is_found(filled: CommandLine, arguments: list[str], expected: str) -> None:
    assert authors(filled, *arguments) == expected.split()


def test_how_it_is_shown(filled: CommandLine) -> None:
    shown = filled.ok("search", "pump OR valve")
    ids = [line["id"][:7] for line in filled.run("search", "--json", "pump OR valve").json()]
    assert shown == (
        f"{ids[0]} 2026-01-03 08:00 joanna\n    naïve \\x1b valve\n"
        f"{ids[1]} 2026-01-02 10:00 bob\n    pump repaired; the pump is fine\n"
        f"{ids[2]} 2026-01-01 10:00 ann (beam)\n    The pump failed at 3 am\n"
    )


def test_times_and_ids_are_shown_as_list_shows_them(filled: CommandLine) -> None:
    (found,) = filled.run("search", "--json", "valve").json()
    assert filled.ok("search", "--date", "written", "valve").startswith(
        f"{found['id'][:7]} 2026-01-03 10:00:00 +0200 joanna\n"
    )
    assert "\nTime:   2026-01-03\n" in filled.ok("search", "--date=short", "--format=full", "valve")
    coloured = filled.ok("search", "--color", "always", "valve")
    assert coloured.startswith(f"\x1b[35m{found['id'][:4]}\x1b[0m\x1b[2m{found['id'][4:7]}\x1b[0m ")
    filled.fails(2, "search", "--date", "none", "valve")


def test_what_is_found_can_be_added_elsewhere(filled: CommandLine) -> None:
    filled.ok("logs", "new", "other")
    found = filled.ok("search", "--json", "valve")
    filled.ok("add", "--batch", "--json", "-q", "--log", "other", stdin=found)
    assert filled.run("list", "--json", "--log", "other").json()[0]["id"] in found


def test_the_other_forms_are_those_of_list(filled: CommandLine) -> None:
    for form in (
        ["--oneline"],
        ["--format", "oneline"],
        ["--format", "full"],
        ["--format", "%h %s"],
    ):
        assert filled.ok("search", "until:2026", *form) == filled.ok("list", *form)


def test_colours_mark_words(filled: CommandLine) -> None:
    shown = filled.ok("search", "--color", "always", "failed")
    assert "The pump \x1b[1;31mfailed\x1b[0m at 3 am" in shown
    assert "\x1b[35m" in shown


def test_the_schema_of_json(filled: CommandLine) -> None:
    filled.ok("add", "--batch", "-q", stdin="other words\n" * 9)
    first, second = filled.run("search", "--json", "pump").json()
    assert set(first) == {*FIELDS, "logs", "score", "snippet", "matches"}
    listed = {line["id"]: line for line in filled.run("list", "--json").json()}
    assert {name: first[name] for name in FIELDS} == listed[first["id"]]
    assert first["logs"] == ["main"]
    assert first["score"] > second["score"] > 0
    assert second["snippet"] == "The pump failed at 3 am"
    assert second["matches"] == [[4, 8]]
    page = (Path(__file__).parents[2] / "docs" / "commands" / "search.md").read_text()
    assert all(f"`{name}`" in page for name in set(first) - set(FIELDS))
    (only,) = filled.run("search", "--json", "author:joanna").json()
    assert (only["score"], only["matches"]) == (0, [])


def test_what_needs_a_newer_msglog_is_found_by_what_can_be_told(filled: CommandLine) -> None:
    data = encode({"type": "picture", "uuid": bytes(16), "time": 1_770_000_000_000_000})
    key = make_key(1_770_000_000_000_000, object_id(data))
    with closing(Repository.open(filled.folder / ".msglog")) as repository:
        repository.add("main", {key: data}, time=0)
    assert "needs a newer msglog" in filled.ok("search", "since:2026-02-02", "until:2026-02-03")
    (line,) = filled.run("search", "--json", "since:2026-02-02", "until:2026-02-03").json()
    assert (line["type"], line["snippet"]) == ("picture", "")


def test_logs_are_named_where_there_are_several(filled: CommandLine) -> None:
    filled.ok("logs", "new", "lab/p01")
    filled.ok("add", "-q", "--log", "lab/p01", "the pump of the lab")
    assert "ann [lab/p01]\n" in filled.ok("search", "lab")
    assert "bob [main]\n" in filled.ok("search", "repaired")
    assert len(authors(filled, "pump")) == 3
    assert authors(filled, "--log", "lab/p01", "pump") == ["ann"]
    assert len(authors(filled, "--log", "lab/p01", "--log", "main", "pump")) == 3
    assert authors(filled, "pump -log:main") == ["ann"]
    filled.ok("add", "-q", "--batch", "--json", "--log", "lab/p01", stdin=json.dumps(LINES[1]))

    def logs(*arguments: str) -> list[str]:
        return filled.ok("search", "--format", "%an %(log)", *arguments).splitlines()

    assert logs("lab") == ["ann lab/p01"]
    assert logs("failed") == ["ann main"]


def test_none_of_what_is_found_may_be_shown(filled: CommandLine) -> None:
    for options in ([], ["--json"], ["--oneline"]):
        assert filled.ok("search", "-n", "0", "pump", *options) == ""


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (["nothing"], 1, "nothing is found for 'nothing'."),
        (["repared"], 1, "nothing is found for 'repared'. Similar words are repaired."),
        (["author:ann", "leaks pump"], 1, "nothing is found for 'author:ann \"leaks pump\"'."),
        (["-n", "0", "nothing"], 1, "nothing is found for 'nothing'."),
        (["pump", "since:2027"], 1, "nothing is found for 'pump since:2027'"),
        (["autor:ann"], 2, "there is no filter autor:. Did you mean author:?"),
        (["log:mian"], 2, "there is no log 'mian'. Did you mean main?"),
        (["log:x*"], 2, "there is no log 'x*'. See `msglog logs`"),
        (["--log", "mian", "pump"], 2, "there is no log 'mian'. Did you mean main?"),
        (["--log", "M", "pump"], 2, "'M'"),
        (["since:never"], 2, "cannot tell what time 'never' is"),
        (["since:2026-13"], 2, "cannot tell what time '2026-13' is (there is no such day)"),
        (["-n", "x", "pump"], 2, "'x' is not a number of messages"),
        (["--format", "%q", "pump"], 2, "there is no placeholder %q"),
        (['"pump'], 2, "a quotation mark is not closed"),
        (
            ["pump", "-failed"],
            2,
            "unknown option '-failed'. Text that begins with - stands after `--`.",
        ),
        (["-pump"], 2, "unknown option '-pump'. Text that begins with - stands after `--`."),
        (["-pump", "--oneline"], 2, "unknown option '-pump'."),
        ([], 2, "QUERY"),
    ],
)
def test_what_is_refused(
    filled: CommandLine, arguments: list[str], status: int, error: str
) -> None:
    assert error in filled.fails(status, "search", *arguments)
    assert filled.run("search", *arguments).out == ""


def test_outside_of_a_repository(empty: CommandLine) -> None:
    assert "no repository" in empty.fails(7, "search", "pump")


def test_it_catches_up_with_whatever_happens(filled: CommandLine) -> None:
    assert len(authors(filled, "pump")) == 2
    filled.ok("add", "-q", "another pump")
    assert len(authors(filled, "pump")) == 3
    other = filled.folder.parent / "other"
    other.mkdir()
    filled.ok("-C", str(other), "init", "-q")
    filled.ok("-C", str(other), "add", "-q", "the pump over there")
    filled.ok("remote", "add", "origin", str(other))
    filled.ok("pull", "-q", "origin")
    assert len(authors(filled, "pump")) == 4
    lines = filled.ok("list", "--json")
    filled.ok("logs", "new", "copy")
    filled.ok("import", "--log", "copy", stdin=lines)
    assert len(authors(filled, "log:copy pump")) == 4
    assert len(authors(filled, "pump")) == 4
    filled.ok("logs", "rename", "copy", "copies")
    assert len(authors(filled, "log:copies pump")) == 4
    filled.ok("logs", "delete", "-q", "main", "--force")
    filled.ok("logs", "delete", "-q", "copies", "--force")
    filled.fails(1, "search", "pump")


def test_a_backup_has_no_index_and_a_restored_repository_is_searched(filled: CommandLine) -> None:
    filled.ok("search", "pump")
    filled.ok("backup", "-q", "b.tar")
    assert b"search.db" not in (filled.folder / "b.tar").read_bytes()
    filled.ok("restore", "-q", "b.tar", "again")
    assert len(authors(filled, "-C", "again", "pump")) == 2
    assert filled.run("verify").status == 0


def test_gc_takes_the_index_with_the_messages(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    index = filled.folder / ".msglog" / "search.db"
    filled.ok("logs", "new", "secret")
    filled.ok("add", "-q", "--log", "secret", "unspeakable")
    filled.ok("search", "unspeakable")
    filled.ok("gc", "-q")
    assert index.exists()
    filled.ok("logs", "delete", "-q", "secret", "--force")
    filled.ok("gc", "-q")  # within the grace
    assert index.exists()
    later = lambda now, grace: Retention(now + 400 * DAY, grace)  # noqa: E731
    monkeypatch.setattr("porcelain.gc.Retention", later)
    filled.ok("gc", "-n", "-q")
    assert index.exists()
    filled.ok("gc", "-q")
    assert not index.exists()
    filled.fails(1, "search", "unspeakable")
    assert len(authors(filled, "pump")) == 2


def test_damaged_messages_are_said_to_be_left_out(filled: CommandLine) -> None:
    with closing(sqlite3.connect(filled.folder / ".msglog" / "store.db")) as connection:
        connection.execute(
            "UPDATE messages SET data = zeroblob(80) WHERE instr(data, ?)", (b"failed",)
        )
        connection.commit()
    result = filled.run("search", "--format", "%an", "pump")
    assert (result.status, result.out) == (0, "bob\n")
    assert result.error == ("msglog: 1 message cannot be read, see `msglog verify`\n")


def test_where_the_repository_cannot_be_written_the_index_is_in_the_cache(
    filled: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)
    assert len(authors(filled, "pump")) == 2
    home = filled.folder.parent / "home"
    index, sealed = sorted((home / ".cache" / "msglog").iterdir())
    assert (index.name[:7], sealed.name) == ("search-", f"{index.name}-seal")
    assert not (filled.folder / ".msglog" / "search.db").exists()
    filled.environment["XDG_CACHE_HOME"] = "/dev/null/nowhere"
    assert len(authors(filled, "pump")) == 2


def test_reindex_makes_it_anew(filled: CommandLine) -> None:
    filled.ok("search", "pump")
    index = filled.folder / ".msglog" / "search.db"
    with closing(sqlite3.connect(index)) as connection:
        connection.execute("DELETE FROM entry")
        connection.commit()
    unseal(str(index))
    filled.fails(1, "search", "pump")
    assert len(authors(filled, "--reindex", "pump")) == 2
    assert len(authors(filled, "pump")) == 2


def test_on_a_terminal_it_goes_through_the_pager(filled: CommandLine, tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    script = tmp_path / "pager"
    script.write_text(f"#!/bin/sh\ncat > {seen}\n")
    script.chmod(0o755)
    filled.environment["MSGLOG_PAGER"] = str(script)
    assert on_terminal(filled, "search", "failed").status == 0
    assert "\x1b[1;31mfailed\x1b[0m" in seen.read_text()
    os.unlink(seen)
    assert on_terminal(filled, "search", "--no-pager", "failed").status == 0
    assert not seen.exists()


def test_a_terminal_gets_lines_that_fit(filled: CommandLine) -> None:
    words = " ".join(f"word{number} -x{number}" for number in range(7)) + " magnet " + "y" * 30
    filled.ok("add", "-q", f"{words}\n\n  {words}")
    narrow = {"COLUMNS": "40", "NO_COLOR": "1", "MSGLOG_PAGER": "cat"}
    shown = on_terminal(filled, "search", "magnet", environment=narrow).out.splitlines()[1:]
    assert len(shown) > 3
    assert all(line.startswith("    ") and len(line) <= 40 for line in shown)
    (whole,) = filled.ok("search", "magnet").splitlines()[1:]
    assert " ".join(line.strip() for line in shown) == whole.strip()


def test_progress_is_shown_on_demand(filled: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("porcelain.progress._PATIENCE", 0.0)
    assert "Indexing" in filled.run("search", "--progress", "pump").error
    assert filled.run("search", "--progress", "-q", "--reindex", "pump").error == ""
