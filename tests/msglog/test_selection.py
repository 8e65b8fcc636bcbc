from itertools import pairwise

import pytest

from msglog.key import key_object_id
from msglog.message import Message
from msglog.objectid import ObjectId, ObjectIdError
from msglog.selection import AmbiguousIdError, UnknownMessageError, find_answered, find_message
from tests.plumbing.peers import add, make_repository, message


def test_one_message_by_the_beginning_of_its_id() -> None:
    repository = make_repository(1)
    keys = add(repository, *[message(number) for number in range(300)])
    for key in keys[:5]:
        assert find_message(repository, key_object_id(key).hex()) == key
        assert find_message(repository, key_object_id(key).hex()[:12].upper()) == key
    with pytest.raises(UnknownMessageError):
        find_message(repository, "0" * 64)
    for text in ("abc", "xyzw", "0" * 65):
        with pytest.raises(ObjectIdError):
            find_message(repository, text)


def test_several_with_one_beginning_are_named() -> None:
    repository = make_repository(1)
    keys = add(repository, *[message(number) for number in range(1500)])
    digits = sorted(key_object_id(key).hex() for key in keys)
    first, second = next(pair for pair in pairwise(digits) if pair[0][:4] == pair[1][:4])
    with pytest.raises(AmbiguousIdError) as raised:
        find_message(repository, first[:4])
    assert first[:9] in raised.value.why
    assert second[:9] in raised.value.why


def test_what_a_message_answers() -> None:
    repository = make_repository(1)
    (key,) = add(repository, message(1, body="question"))
    found = find_answered(repository, key_object_id(key))
    assert isinstance(found, Message)
    assert found.body == "question"
    assert find_answered(repository, ObjectId(bytes(32))) is None
