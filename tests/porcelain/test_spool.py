import errno
import os
from tempfile import SpooledTemporaryFile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.key import KEY_BYTES, Key
from porcelain import spool
from porcelain.spool import Spool
from tests.porcelain.conftest import CommandLine

keys = st.binary(min_size=KEY_BYTES, max_size=KEY_BYTES).map(Key)


@given(st.lists(st.tuples(keys, st.binary(max_size=50))))
def test_what_is_put_comes_back_in_order(messages: list[tuple[Key, bytes]]) -> None:
    with Spool() as spool:
        for key, data in messages:
            spool.put(key, data)
        assert spool.count == len(messages)
        assert list(spool.messages()) == messages
        assert list(spool.messages()) == messages


def test_much_is_kept_on_disk() -> None:
    key = Key(bytes(KEY_BYTES))
    with Spool() as spool:
        for size in (3 << 20, 3 << 20, 0, 5):
            spool.put(key, b"x" * size)
        assert vars(spool._file)["_rolled"]
        assert [len(data) for _, data in spool.messages()] == [3 << 20, 3 << 20, 0, 5]
    assert spool._file.closed


def test_no_room_for_what_is_checked(cli: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(SpooledTemporaryFile[bytes]):
        def rollover(self) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    cli.ok("add", "x" * 5000)
    lines = cli.ok("list", "--json")
    cli.ok("init", "-q", "other")
    monkeypatch.setattr(spool, "SpooledTemporaryFile", Full)
    monkeypatch.setattr(spool, "_MEMORY_BYTES", 1000)
    assert "No space left" in cli.fails(7, "-C", "other", "import", stdin=lines)
    assert cli.ok("-C", "other", "list") == ""
