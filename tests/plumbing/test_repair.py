"""`verify --repair`: what is damaged becomes what it was, or is named; nothing else changes."""

import sqlite3
from argparse import Namespace
from io import BytesIO
from pathlib import Path

import pytest

from msglog.errors import UsageError
from msglog.index.node import Inner, load_node
from msglog.key import Key, key_object_id
from msglog.layout import STORE_NAME
from msglog.objectid import ObjectId
from msglog.repository import Repository
from msglog.store.store import Receipt, StoreError
from plumbing import fetch_pack, verify
from plumbing.context import Context
from tests.plumbing.running import NOW, Result, fill, message, run

COUNT = 600


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository with a log that a remote has as well."""
    fill(tmp_path / "remote" / ".msglog", COUNT)
    fill(tmp_path / "here" / ".msglog", COUNT)
    fill(tmp_path / "here" / ".msglog", 50, log="small")
    return tmp_path / "here" / ".msglog"


def remote(folder: Path) -> str:
    return str(folder.parents[1] / "remote")


def alter(folder: Path, *statements: str) -> None:
    connection = sqlite3.connect(folder / STORE_NAME, isolation_level=None)
    for sql in statements:
        assert connection.execute(sql).rowcount > 0, sql
    connection.close()


def contents(folder: Path, *only: str) -> dict[str, list[tuple[Key, bytes]]]:
    """Return the messages of some logs, or of all that there are."""
    repository = Repository.open(folder)
    try:
        return {
            log.name: list(repository.messages(repository.keys(log.root)))
            for log in repository.logs()
            if log.name in only or not only
        }
    finally:
        repository.close()


def repaired(folder: Path, *words: str) -> Result:
    result = run(verify, folder, "--repair", *words, directory=folder.parent)
    assert result.status in (0, 1)
    return result


def is_sound(folder: Path) -> bool:
    return run(verify, folder, quiet=True).output == b""


TWELVE = "key IN (SELECT key FROM messages ORDER BY key LIMIT 12 OFFSET 100)"


@pytest.mark.parametrize(
    "sql",
    [
        f"DELETE FROM messages WHERE {TWELVE}",
        f"UPDATE messages SET data = zeroblob(20) WHERE {TWELVE}",
        f"UPDATE messages SET data = 5 WHERE {TWELVE}",
        f"UPDATE messages SET data = CAST(x'ff' || data AS TEXT) WHERE {TWELVE}",
    ],
)
def test_messages_come_again_from_a_remote(folder: Path, sql: str) -> None:
    before = contents(folder)
    alter(folder, sql)
    result = repaired(folder, remote(folder))
    assert result.status == 0
    assert "refs/logs/main: fetched 12 messages again" in result.lines
    assert contents(folder) == before
    assert is_sound(folder)


def test_without_a_remote_damaged_messages_stay_and_are_named(folder: Path) -> None:
    alter(folder, f"DELETE FROM messages WHERE {TWELVE}")
    result = repaired(folder)
    assert result.status == 1
    assert "refs/logs/main: left damaged: 12 messages, which a remote may still have" in (
        result.lines
    )
    assert sum("it is missing" in line for line in result.lines) == 12
    assert repaired(folder, remote(folder)).status == 0


def test_a_remote_that_has_only_some(folder: Path) -> None:
    other = folder.parents[1] / "other" / ".msglog"
    fill(other, 106)
    alter(folder, f"DELETE FROM messages WHERE {TWELVE}")
    result = repaired(folder, str(other))
    assert result.status == 1
    assert "refs/logs/main: fetched 6 messages again" in result.lines
    assert "refs/logs/main: left damaged: 6 messages, which this remote does not have" in (
        result.lines
    )
    assert len(contents(folder, "small")["small"]) == 50


def nodes_of(folder: Path, log: str) -> list[ObjectId]:
    """Return the ids of all nodes of a log's index, the root first."""
    repository = Repository.open(folder)
    found = [repository.log(log).root]
    for oid in found:
        node = load_node(repository.store.read_nodes([oid])[oid])
        if isinstance(node, Inner):
            found.extend(child[1] for child in node.children)
    repository.close()
    return found


@pytest.mark.parametrize("which", [slice(0, 1), slice(3, 4), slice(-3, None), slice(None)])
@pytest.mark.parametrize("with_remote", [True, False])
@pytest.mark.parametrize("damage", ["DELETE FROM nodes", "UPDATE nodes SET data = zeroblob(9)"])
def test_index_nodes_are_made_anew(
    folder: Path,
    which: slice,
    with_remote: bool,  # noqa: FBT001
    damage: str,
) -> None:
    before = contents(folder)
    for oid in nodes_of(folder, "main")[which]:
        alter(folder, f"{damage} WHERE oid = x'{oid.hex()}'")
    result = repaired(folder, *([remote(folder)] if with_remote else []))
    assert result.status == 0, result.lines
    assert any("anew" in line for line in result.lines)
    assert contents(folder) == before
    assert is_sound(folder)


def test_nodes_and_messages_together(folder: Path) -> None:
    before = contents(folder)
    for oid in nodes_of(folder, "main")[2:9]:
        alter(folder, f"DELETE FROM nodes WHERE oid = x'{oid.hex()}'")
    alter(folder, f"DELETE FROM messages WHERE {TWELVE}")
    assert repaired(folder, remote(folder)).status == 0
    assert contents(folder) == before


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE refs SET count = 7 WHERE name = 'refs/logs/main'",
        "UPDATE refs SET root = zeroblob(32) WHERE name = 'refs/logs/main'",
        "UPDATE refs SET name = 'refs/logs/maim' WHERE name = 'refs/logs/main'",
        "DELETE FROM refs WHERE name = 'refs/logs/small'",
        "UPDATE reflog SET name = 'x' WHERE id = (SELECT max(id) FROM reflog)",
        "DELETE FROM reflog",
    ],
)
def test_refs_are_what_they_were(folder: Path, sql: str) -> None:
    before = contents(folder)
    alter(folder, sql)
    assert not is_sound(folder)
    result = repaired(folder)
    assert contents(folder) == before, result.lines
    if "reflog" not in sql:
        assert result.status == 0


def test_who_delivered_what_is_kept(folder: Path) -> None:
    key, data = message(5000)
    receipt = Receipt("ann", 7, "main", "SHA256:x")
    repository = Repository.open(folder)
    repository.commit([], messages={key: data}, time=NOW, reason="x", receipt=receipt)
    repository.add("main", {key: data}, time=NOW)
    repository.close()
    alter(folder, "UPDATE refs SET count = 7 WHERE name = 'refs/logs/main'")
    assert repaired(folder).status == 0
    repository = Repository.open(folder)
    assert repository.store.receipts([key]) == {key: receipt}
    assert repository.store.usage("ann").messages == 1
    assert repository.store.identity == bytes(16)
    repository.close()


@pytest.mark.parametrize("part", range(10))
@pytest.mark.parametrize("compressed", [True, False])
def test_a_file_of_which_a_part_is_overwritten(
    folder: Path,
    part: int,
    compressed: bool,  # noqa: FBT001
) -> None:
    filler = (b"\0", b"\xff", b"\x05")[part % 3]
    before = contents(folder)
    if compressed:
        repository = Repository.open(folder)
        assert repository.store.condense().messages > 500
        repository.close()
    path = folder / STORE_NAME
    data = path.read_bytes()
    size = len(data) // 10
    damaged = data[: part * size] + filler * size + data[(part + 1) * size :]
    path.write_bytes(damaged)
    result = repaired(folder, remote(folder))
    if part:
        assert contents(folder, "main")["main"] == before["main"], result.lines
    else:  # with the head of the file goes the list of its tables
        repaired(folder, "--give-up")
        assert result.status == 0
    if result.status == 0 and part:
        assert contents(folder) == before
    elif part:  # of this one the remote has nothing
        assert "refs/logs/small: " in str(result.lines)
    aside = list(folder.glob(f"{STORE_NAME}-damaged-*"))
    assert any(one.read_bytes()[: len(damaged)] == damaged for one in aside) or not part


@pytest.mark.parametrize("part", [0.05, 0.3, 0.7, 0.95])
def test_a_file_that_was_cut_off(folder: Path, part: float) -> None:
    before = contents(folder)
    path = folder / STORE_NAME
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * part)])
    repaired(folder, remote(folder), "--give-up")
    assert is_sound(folder)
    after = contents(folder)
    if part > 0.2:
        assert after["main"] == before["main"]
    assert "main" in after


def test_a_newer_store_is_not_taken_apart(folder: Path) -> None:
    alter_version = sqlite3.connect(folder / STORE_NAME)
    alter_version.execute("PRAGMA user_version = 99")
    alter_version.close()
    with pytest.raises(StoreError, match="newer"):
        repaired(folder)
    assert list(folder.iterdir()) == [folder / STORE_NAME]


def test_giving_up_names_what_is_lost_and_a_pull_brings_it_back(folder: Path) -> None:
    before = contents(folder)
    doomed = [before["main"][at][0] for at in (5, 300)]
    for key in doomed:
        alter(folder, f"UPDATE messages SET data = zeroblob(5) WHERE key = x'{key.hex()}'")
    result = repaired(folder, "--give-up")
    assert result.status == 0
    for key in doomed:
        oid = key_object_id(key).hex()
        assert any(f"lost message {oid} of 20" in line for line in result.lines)
    after = contents(folder)
    assert [key for key, _ in before["main"] if key not in doomed] == [
        key for key, _ in after["main"]
    ]
    (copy,) = folder.glob(f"{STORE_NAME}-before-*")
    assert copy.stat().st_mode & 0o777 == 0o600
    run(fetch_pack, folder, remote(folder), directory=folder.parent)
    repository = Repository.open(folder)
    assert set(repository.store.find_messages(doomed).values()) == {
        data for key, data in before["main"] if key in doomed
    }
    repository.close()


def test_what_may_have_been_in_a_log_is_put_into_another(folder: Path) -> None:
    before = contents(folder)
    key, _ = before["main"][300]
    alter(
        folder,
        f"DELETE FROM nodes WHERE oid IN ({', '.join(f'x{chr(39)}{one.hex()}{chr(39)}' for one in nodes_of(folder, 'main'))})",
        f"DELETE FROM messages WHERE key = x'{key.hex()}'",
    )
    untouched = repaired(folder)
    assert untouched.status == 1
    assert any("cannot be told" in line for line in untouched.lines)
    result = repaired(folder, "--give-up")
    after = contents(folder)
    everything = {one for log in after.values() for one in log}
    assert everything == {one for one in before["main"] if one[0] != key}, result.lines
    assert is_sound(folder)


def test_tracking_refs_that_are_damaged_are_forgotten(folder: Path) -> None:
    config = folder / "config.toml"
    config.write_text(f'[remote.origin]\nurl = "{remote(folder)}"\n')
    assert run(fetch_pack, folder, "origin", directory=folder.parent).status == 0
    repository = Repository.open(folder)
    repository.delete_log("main", time=NOW)
    repository.close()
    (first, _) = message(0)
    alter(folder, f"DELETE FROM messages WHERE key = x'{first.hex()}'")
    assert not is_sound(folder)
    result = repaired(folder)
    assert any("refs/remotes/origin/main: forgotten" in line for line in result.lines)
    assert run(fetch_pack, folder, "origin", directory=folder.parent).status == 0


def test_json(folder: Path) -> None:
    alter(folder, f"DELETE FROM messages WHERE {TWELVE}")
    result = run(verify, folder, "--repair", remote(folder), as_json=True, directory=folder.parent)
    assert result.records[0] == {"ref": "refs/logs/main", "repair": "fetched 12 messages again"}
    assert result.records[-1]["sound"] is True


def test_a_sound_repository_is_left_alone(folder: Path) -> None:
    before = (folder / STORE_NAME).read_bytes()
    result = repaired(folder, remote(folder), "--give-up")
    assert result.status == 0
    assert all(line.endswith("sound") for line in result.lines)
    assert (folder / STORE_NAME).read_bytes() == before


def test_giving_up_goes_with_repairing(folder: Path) -> None:
    with pytest.raises(UsageError):
        run(verify, folder, "--give-up")


def test_a_writer_of_the_damaged_file_fails_and_loses_nothing_unheard(folder: Path) -> None:
    writer = Repository.open(folder)
    writer.log("main")
    alter(folder, "UPDATE refs SET count = 7 WHERE name = 'refs/logs/small'")
    assert repaired(folder).status == 0
    key, data = message(7000)
    with pytest.raises(StoreError, match="repaired"):
        writer.add("main", {key: data}, time=NOW)
    writer.close()
    assert len(contents(folder)["main"]) == COUNT
    assert is_sound(folder)


class Shown:
    """What is shown of a repair."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int | None]] = []
        self.hidden = 0

    def update(self, done: int, total: int | None = None) -> None:
        self.steps.append((done, total))

    def hide(self) -> None:
        self.hidden += 1


def test_how_far_a_repair_has_come_is_shown(folder: Path) -> None:
    alter(folder, "UPDATE messages SET data = x'00' WHERE key = (SELECT min(key) FROM messages)")
    shown = Shown()
    context = Context(
        directory=str(folder.parent),
        home="/",
        stdin=BytesIO(),
        stdout=BytesIO(),
        stderr=BytesIO(),
        repository_directory=str(folder),
        now=lambda: NOW,
    )
    arguments = Namespace(repair=remote(folder), give_up=False)
    assert verify.run(arguments, context, None, shown) == 0
    assert (COUNT, COUNT) in shown.steps
    assert (1, 1) in shown.steps  # the one that was fetched
    assert shown.hidden >= 2
    whole = (folder / STORE_NAME).read_bytes()
    (folder / STORE_NAME).write_bytes(whole[: len(whole) // 2])
    shown.steps.clear()
    verify.run(arguments, context, None, shown)
    assert (1, None) in shown.steps  # of what was read from the pages
