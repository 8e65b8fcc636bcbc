"""Errors as programs hold them: made again in another process."""

import copy
import pickle
from collections.abc import Callable

import pytest

from msglog.argument import ArgumentTypeError
from msglog.errors import LocalError, MsglogError, NegativeAnswer
from msglog.repository import UnknownLogError
from msglog.store.store import OverQuotaError

ERRORS = [
    NegativeAnswer("nothing", why="nobody knows", hint="Ask."),
    UnknownLogError("lab", ["main"]),
    ArgumentTypeError("a log", 5, "a text is wanted"),
    OverQuotaError("ann"),
    LocalError("disk full"),
]


def pickled(error: MsglogError) -> MsglogError:
    made = pickle.loads(pickle.dumps(error))
    assert isinstance(made, MsglogError)
    return made


@pytest.mark.parametrize("again", [pickled, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_is_the_same_in_another_process(
    error: MsglogError, again: Callable[[MsglogError], MsglogError]
) -> None:
    error.add_note("seen by a worker")
    made = again(error)
    assert type(made) is type(error)
    assert (made.what, made.why, made.hint) == (error.what, error.why, error.hint)
    assert (str(made), made.args) == (str(error), error.args)
    assert made.__notes__ == error.__notes__
