"""The simulated reconciliation, which must find what differs or its bytes say nothing."""

from hypothesis import given
from hypothesis import strategies as st

from msglog.key import Key, make_key
from msglog.objectid import object_id
from tests.bench.reconciliation import Holder, Range, reconcile, size, varint_size

NUMBERS = st.sets(st.integers(0, 500))


def key(number: int) -> Key:
    return make_key(1_000_000 + 7 * (number // 3), object_id(b"%d" % number))


@given(NUMBERS, NUMBERS)
def test_it_finds_exactly_what_differs(ours: set[int], theirs: set[int]) -> None:
    cost = reconcile(Holder(map(key, ours)), Holder(map(key, theirs)))
    assert cost.lacking == set(map(key, theirs - ours))
    assert cost.surplus == set(map(key, ours - theirs))


def test_equal_sides_say_one_fingerprint() -> None:
    cost = reconcile(Holder(map(key, range(1000))), Holder(map(key, range(1000))))
    assert (cost.round_trips, cost.sent) == (1, 1 + 2 + 1 + 16)
    assert cost.received == 1


def test_one_of_many_takes_few_rounds_and_little() -> None:
    everything = sorted(map(key, range(20_000)))
    cost = reconcile(Holder(everything[:-1]), Holder(everything))
    assert cost.lacking == {everything[-1]}
    assert cost.round_trips <= 3
    assert cost.total < 4000


def test_the_size_of_a_message() -> None:
    bound = key(3)[:8]
    assert size([Range(b"", bound), Range(bound, bound, fingerprint=b"x" * 16)]) == (
        1 + (3 + 1 + 1) + (1 + 1 + 1 + 16)
    )
    assert [varint_size(number) for number in (0, 127, 128, 1 << 14)] == [1, 1, 2, 3]
