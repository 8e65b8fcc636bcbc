"""Keys sort by time, then by id, over the whole of int64."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.key import (
    FIRST_KEY,
    KEY_BYTES,
    LAST_KEY,
    TIME_MAXIMUM,
    TIME_MINIMUM,
    first_key_at,
    key_object_id,
    key_time,
    make_key,
)
from msglog.objectid import ObjectId

times = st.integers(TIME_MINIMUM, TIME_MAXIMUM)
oids = st.binary(min_size=32, max_size=32).map(ObjectId)


@given(times, oids)
def test_a_key_gives_back_its_parts(time: int, oid: ObjectId) -> None:
    key = make_key(time, oid)
    assert (len(key), key_time(key), key_object_id(key)) == (KEY_BYTES, time, oid)
    assert FIRST_KEY <= first_key_at(time) <= key <= LAST_KEY


@given(times, oids, times, oids)
def test_keys_sort_by_time_then_id(t1: int, o1: ObjectId, t2: int, o2: ObjectId) -> None:
    assert (make_key(t1, o1) < make_key(t2, o2)) == ((t1, o1) < (t2, o2))


@pytest.mark.parametrize(
    ("time", "head"),
    [
        (TIME_MINIMUM, "0000000000000000"),
        (-1, "7fffffffffffffff"),
        (0, "8000000000000000"),
        (1, "8000000000000001"),
        (253_402_300_799_999_999, "8384440ccc735fff"),  # the last microsecond of year 9999
        (TIME_MAXIMUM, "ffffffffffffffff"),
    ],
)
def test_times_to_the_byte(time: int, head: str) -> None:
    assert make_key(time, ObjectId(bytes(32)))[:8].hex() == head
    assert first_key_at(time) == bytes.fromhex(head) + bytes(32)


@pytest.mark.parametrize("time", [TIME_MINIMUM - 1, TIME_MAXIMUM + 1])
def test_a_time_outside_int64_has_no_key_and_is_clamped_as_a_bound(time: int) -> None:
    with pytest.raises(OverflowError):
        make_key(time, ObjectId(bytes(32)))
    assert key_time(first_key_at(time)) in (TIME_MINIMUM, TIME_MAXIMUM)
