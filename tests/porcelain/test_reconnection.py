"""When a watch tries again, and when it gives up."""

import pytest

from msglog.errors import MsglogError, NotAuthorisedError
from plumbing.transport.channel import ChannelError, NotLetInError
from porcelain.reconnection import LONGEST_DELAY_SECONDS, Reconnection

CUT = ChannelError("the connection was cut")
SHUT = NotLetInError("the host does not let us in")
REMOVED = NotAuthorisedError("not authorised")


def made(*, answers: int) -> Reconnection:
    one = Reconnection(lambda size: b"\xff" * size)
    for _ in range(answers):
        one.answered()
    return one


@pytest.mark.parametrize("error", [CUT, SHUT, REMOVED])
def test_a_remote_that_never_answered_is_not_waited_for(error: MsglogError) -> None:
    with pytest.raises(type(error)):
        made(answers=0).seconds_after(error)


def test_it_tries_ever_more_rarely_until_two_answers_have_come() -> None:
    one = made(answers=1)
    assert [one.seconds_after(CUT) for _ in range(3)] == pytest.approx([1, 2, 4])
    one.answered()
    assert one.seconds_after(SHUT) == pytest.approx(8)
    for _ in range(9):
        assert one.seconds_after(CUT) <= LONGEST_DELAY_SECONDS
    one.answered()
    one.answered()
    assert one.seconds_after(CUT) == pytest.approx(1)


def test_who_is_removed_has_one_more_try() -> None:
    one = made(answers=3)
    assert one.seconds_after(REMOVED) == 0
    with pytest.raises(NotAuthorisedError):
        one.seconds_after(SHUT)
    with pytest.raises(NotAuthorisedError):
        one.seconds_after(REMOVED)
