"""What was shown of a log, over cuts and anchors."""

from hypothesis import given
from hypothesis import strategies as st

from msglog.index.node import EMPTY_ROOT
from msglog.key import Key
from msglog.message import object_key
from msglog.objectid import ObjectId
from msglog.store.store import Ref
from plumbing.shown_log import Marks, ShownLog
from tests.plumbing.peers import message

FIRST, SECOND, THIRD = (Ref(ObjectId(bytes([number]) * 32), 5 * number) for number in (1, 2, 3))
KEYS = sorted(object_key(message(number)) for number in range(40))


def unshown(log: ShownLog, keys: list[Key]) -> list[Key]:
    return list(log.unshown(dict.fromkeys(keys, b"")))


def test_what_was_shown_of_a_transfer_is_known_however_often_it_is_cut() -> None:
    log = ShownLog(FIRST)
    log.begin(FIRST)
    log.pass_by(KEYS[0:20:2])
    log.begin(FIRST)
    log.pass_by(KEYS[0:8])  # with some that came between, and cut earlier than before
    log.begin(FIRST)
    assert unshown(log, KEYS) == [*KEYS[9:20:2], *KEYS[20:]]
    log.complete(SECOND)
    log.begin(SECOND)
    assert unshown(log, KEYS) == KEYS


def test_an_anchor_is_gone_on_from_without_what_came_after_it() -> None:
    log = ShownLog(FIRST)
    assert ShownLog(FIRST).wants_anchor
    log.hope()
    assert list(log.starts()) == [FIRST.root]
    log.confirm()
    assert not log.wants_anchor
    log.begin(FIRST)
    log.pass_by(KEYS[:10])
    log.complete(SECOND)
    assert list(log.starts()) == [SECOND.root, FIRST.root]
    log.begin(SECOND)
    log.pass_by(KEYS[20:25])
    log.begin(FIRST)
    assert unshown(log, KEYS) == [*KEYS[10:20], *KEYS[25:]]
    log.pass_by(KEYS)
    log.complete(THIRD)
    log.hope()
    log.give_up_hope()
    log.confirm()
    assert list(log.starts()) == [THIRD.root, FIRST.root]
    log.hope()
    log.confirm()
    assert list(log.starts()) == [THIRD.root]
    log.begin(THIRD)
    assert unshown(log, KEYS) == KEYS


def test_nothing_was_shown_of_an_empty_log() -> None:
    log = ShownLog(Ref(EMPTY_ROOT, 0))
    assert log.starts() == {}
    assert not log.wants_anchor


@given(st.sets(st.sampled_from(KEYS)), st.sets(st.sampled_from(KEYS)))
def test_marks_are_joined_in_order_and_each_once(one: set[Key], two: set[Key]) -> None:
    first, second = Marks(), Marks()
    first.extend(sorted(one))
    second.extend(sorted(two))
    joined = first.joined(second)
    assert list(joined) == [key[:24] for key in sorted(one | two)]
    assert [key for key in KEYS if joined.has(key)] == sorted(one | two)
    assert len(joined) == len(one | two)
