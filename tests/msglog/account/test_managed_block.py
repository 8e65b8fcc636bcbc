"""The managed block: ours is replaced, everything else stays byte for byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.authorized_keys import Entry, parse_authorized_keys
from msglog.account.forced_command import (
    ForcedCommand,
    Program,
    UnsafePathError,
    WrittenCommand,
    parse_command,
)
from msglog.account.managed_block import (
    Block,
    DamagedBlockError,
    find_block,
    key_line,
    replace_block,
    restore_block,
)
from tests.msglog.account import keymaking as make

ACCOUNT = "/home/server/.msglog-server"
PROGRAM = Program("/venv/bin/python", "/venv/bin/msglog")
FOREIGN = f'command="backup" {make.line(make.rsa(), "backup")}\n'.encode()


def line(user: str, number: int, comment: str = "") -> str:
    key = make.key(number, comment)
    return key_line(ForcedCommand(PROGRAM, user, key.fingerprint), key)


ONE = [line("ann", 1)]
TWO = [line("ann", 1), line("bob", 2)]


def test_the_form_of_a_line() -> None:
    key = make.key(1, "ann@laptop")
    assert line("ann", 1, "ann@laptop") == (
        'restrict,command="/venv/bin/python -I /venv/bin/msglog receive-pack ann'
        f' --key {key.fingerprint}" {key.line}'
    )


def test_a_new_file() -> None:
    data = replace_block(b"", ACCOUNT, TWO)
    entries = parse_authorized_keys(data)
    assert [found.number for found in entries] == [2, 3]
    assert data.endswith(b"# END msglog /home/server/.msglog-server\n")
    for found in entries:
        assert isinstance(found, Entry)
        assert found.options.restrict
        assert not found.options.pty
        assert found.options.command is not None
        written = parse_command(found.options.command)
        assert written is not None
        assert written.exact
        assert written.fingerprint == found.fingerprint


def test_no_keys_no_block() -> None:
    assert replace_block(b"", ACCOUNT, []) == b""
    assert replace_block(FOREIGN, ACCOUNT, []) == FOREIGN
    assert replace_block(FOREIGN[:-1], ACCOUNT, []) == FOREIGN[:-1]


@pytest.mark.parametrize(
    "before", [b"", b"\n", b"# comment\n", FOREIGN, FOREIGN[:-1], b"a\r\nb\r\n", b"\xff\0\n", b"\r"]
)
@pytest.mark.parametrize(
    "after", [b"", b"\n", b"# comment", FOREIGN, FOREIGN[:-1], b"a\r\nb\r\n", b"\xff"]
)
def test_foreign_lines_stay_where_they_are(before: bytes, after: bytes) -> None:
    data = replace_block(before, ACCOUNT, ONE) + after
    assert data.startswith(before)
    changed = replace_block(data, ACCOUNT, TWO)
    assert changed.startswith(before)
    assert changed.endswith(after)
    newline = b"\n" if before and not before.endswith(b"\n") else b""
    assert replace_block(changed, ACCOUNT, []) == before + newline + after


def test_writing_again_changes_nothing() -> None:
    data = replace_block(FOREIGN, ACCOUNT, TWO)
    assert replace_block(data, ACCOUNT, TWO) == data


def test_two_accounts_have_two_blocks() -> None:
    data = replace_block(replace_block(b"", "/a", ONE), "/b", [line("bob", 2)])
    changed = replace_block(data, "/a", [])
    assert changed == replace_block(b"", "/b", [line("bob", 2)])


def test_what_others_wrote_into_the_block_is_moved_behind_it() -> None:
    data = replace_block(b"", ACCOUNT, TWO)
    first, second, third, fourth = data.splitlines(keepends=True)
    mixed = first + FOREIGN + second + b"# note\n" + third + b"\n" + fourth + b"last"
    changed = replace_block(mixed, ACCOUNT, ONE)
    assert changed == first + second + fourth + FOREIGN + b"# note\n" + b"last"


def test_lines_that_were_changed_in_the_block_are_made_anew() -> None:
    data = replace_block(b"", ACCOUNT, ONE)
    assert replace_block(data.replace(b"restrict,", b""), ACCOUNT, ONE) == data
    assert replace_block(data.replace(b"ann", b"bob"), ACCOUNT, ONE) == data


def test_a_file_that_was_turned_to_cr_lf() -> None:
    data = replace_block(FOREIGN, ACCOUNT, ONE).replace(b"\n", b"\r\n")
    changed = replace_block(data, ACCOUNT, ONE)
    assert changed.startswith(FOREIGN.replace(b"\n", b"\r\n"))
    assert find_block(changed, ACCOUNT) == Block(2, 4)


def test_damaged_markers_are_refused_and_named() -> None:
    data = replace_block(FOREIGN, ACCOUNT, ONE)
    begin, end = data.splitlines(keepends=True)[1], data.splitlines(keepends=True)[3]
    for damaged, number in [
        (data.replace(end, b""), 2),
        (data.replace(begin, b""), 3),
        (data + begin, 5),
        (data + end, 5),
        (data + data, 6),
        (begin + data, 3),
    ]:
        with pytest.raises(DamagedBlockError, match=f"at line {number}"):
            replace_block(damaged, ACCOUNT, ONE)


def test_accounts_in_odd_places_are_refused() -> None:
    for account in ("/a\nb", '/a"b', "relative", ""):
        with pytest.raises(UnsafePathError):
            replace_block(b"", account, ONE)


LINES = st.lists(st.binary(max_size=20).filter(lambda data: b"\n" not in data), max_size=6)


@given(LINES, LINES, st.sampled_from([[], ONE, TWO]), st.sampled_from([ONE, TWO]))
def test_foreign_bytes_survive(
    before: list[bytes], after: list[bytes], old: list[str], new: list[str]
) -> None:
    head = b"".join(part + b"\n" for part in before)
    tail = b"\n".join(after)
    data = replace_block(head, ACCOUNT, old) + tail
    assert replace_block(replace_block(data, ACCOUNT, new), ACCOUNT, []) in (
        data if not old else head + tail,
        # Only where the file did not end in a newline, one is added in front of the block.
        head + tail + b"\n",
    )


def ours(command: WrittenCommand) -> bool:
    return command.account is None


@pytest.mark.parametrize("before", [b"", FOREIGN, b"a\r\n"])
@pytest.mark.parametrize("after", [b"", FOREIGN, FOREIGN[:-1], b"\xff"])
@pytest.mark.parametrize(
    "damage",
    ["begin", "end", "both", "twice", "end twice", "begin twice", "turned", "changed", "none"],
)
def test_damaged_marks_are_restored_and_foreign_lines_kept(
    before: bytes, after: bytes, damage: str
) -> None:
    begin, one, two, end = replace_block(b"", ACCOUNT, TWO).splitlines(keepends=True)
    changed = one.replace(b"restrict,", b"")
    parts = {
        "begin": [one, two, end],
        "end": [begin, one, two],
        "both": [one, two],
        "twice": [begin, one, two, end, begin, one, two, end],
        "end twice": [begin, one, end, end],
        "begin twice": [begin, begin, one, two, end],
        "turned": [end, one, begin],
        "changed": [begin, changed, two],
        "none": [begin, one, two, end],
    }[damage]
    restored = restore_block(before + b"".join(parts) + after, ACCOUNT, TWO, ours)
    good = begin + one + two + end
    newline = b"\n" if damage == "both" and after and not after.endswith(b"\n") else b""
    expected = before + after + newline + good if damage == "both" else before + good + after
    assert restored == expected
    assert restore_block(restored, ACCOUNT, TWO, ours) == restored


def test_only_what_msglog_writes_is_taken_for_strayed() -> None:
    good = replace_block(b"", ACCOUNT, ONE)
    exact = ONE[0].encode() + b"\n"
    assert restore_block(exact + good, ACCOUNT, ONE, ours) == good
    for kept in (
        exact.replace(b"restrict,", b'restrict,from="10.0.0.0/8",'),
        exact.replace(b"restrict,", b""),
        exact.replace(b" -I ", b" "),
        exact.replace(b"restrict,", b"restrict,pty,"),
        exact.replace(b"\n", b" a\0b\n"),
        b"#" + exact,
        line("bob", 2).replace(make.key(2).fingerprint, make.key(3).fingerprint).encode() + b"\n",
    ):
        assert restore_block(kept + good, ACCOUNT, ONE, ours) == kept + good
    assert restore_block(exact + good, ACCOUNT, ONE, lambda _: False) == exact + good


@given(LINES, LINES, LINES, st.sampled_from([ONE, TWO]), st.sets(st.integers(0, 3)))
def test_foreign_bytes_survive_the_restoring(
    before: list[bytes],
    inside: list[bytes],
    after: list[bytes],
    new: list[str],
    lost: set[int],
) -> None:
    block = replace_block(b"", ACCOUNT, TWO).splitlines(keepends=True)
    kept = [part for number, part in enumerate(block) if number not in lost]
    foreign = [[part + b"\n" for part in parts] for parts in (before, inside, after)]
    data = b"".join([*foreign[0], *kept[:2], *foreign[1], *kept[2:], *foreign[2]])
    restored = restore_block(data, ACCOUNT, new, ours)
    assert find_block(restored, ACCOUNT) is not None
    rest = restored.replace(replace_block(b"", ACCOUNT, new), b"", 1)
    # Empty lines in a whole block are msglog's.
    left, given_lines = rest.split(b"\n"), before + inside + after
    assert list(filter(bytes.strip, left)) == list(filter(bytes.strip, given_lines))
    assert restore_block(restored, ACCOUNT, new, ours) == restored
