"""What a session remembers of the roots that it has named."""

from hypothesis import given
from hypothesis import strategies as st

from msglog.key import Key
from msglog.objectid import ObjectId
from plumbing.known_roots import KnownRoots

VIEWS = [Key(bytes([number]) * 40) for number in range(2)]
ROOTS = [ObjectId(bytes([number]) * 32) for number in range(9)]
NAMES = st.tuples(st.sampled_from("abcde"), st.sampled_from(VIEWS), st.sampled_from(ROOTS))


@given(st.lists(NAMES, max_size=200), st.integers(1, 5), st.integers(1, 5))
def test_the_newest_are_remembered_and_no_more_than_the_limits(
    named: list[tuple[str, Key, ObjectId]], places: int, roots: int
) -> None:
    known = KnownRoots(places, roots)
    for one in named:
        known.add(*one)
        assert known.has(*one)
        assert len(known) <= places * roots
    newest_places = list(dict.fromkeys((log, view) for log, view, _ in reversed(named)))[:places]
    for place in newest_places:
        mine = dict.fromkeys(root for *where, root in reversed(named) if tuple(where) == place)
        assert all(known.has(*place, root) for root in list(mine)[:1])
    for log, view, root in named:
        if (log, view) not in newest_places:
            assert not known.has(log, view, root)


def test_a_root_named_again_is_new_again() -> None:
    known = KnownRoots(places=2, roots=2)
    view, (first, second, third, *_) = VIEWS[0], ROOTS
    for root in (first, second, first, third):
        known.add("main", view, root)
    assert known.has("main", view, first)
    assert not known.has("main", view, second)
    for log in ("other", "main", "third"):
        known.add(log, view, first)
    assert known.has("main", view, first)
    assert not known.has("other", view, first)
