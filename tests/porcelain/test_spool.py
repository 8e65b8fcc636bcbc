from hypothesis import given
from hypothesis import strategies as st

from msglog.key import KEY_BYTES, Key
from porcelain.spool import Spool

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
