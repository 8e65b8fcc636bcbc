"""Messages of all sorts, each made from its number."""

import random
from functools import cache

from msglog.key import Key, key_object_id
from msglog.message import Message, object_key
from tests.plumbing.peers import START

AUTHORS = ("user0", "user1", "user2", "somebody else")
_SECOND = 1_000_000


@cache
def an_object(number: int) -> tuple[Key, bytes]:
    """Return a message and its key. Small numbers differ only by chance in their times."""
    draw = random.Random(number)
    time = START + draw.choice(
        (
            0,  # many have the same instant
            draw.randrange(50),
            draw.randrange(10**6),
            1000 * number,
            -draw.randrange(10**15),
            draw.randrange(10**15),
        )
    )
    if draw.random() < 0.01:
        time = draw.choice((-(1 << 63), (1 << 63) - 1, 0, 253_402_300_799 * _SECOND))
    size = draw.choice((3, 10, 40, 200))
    if draw.random() < 0.02:
        size = draw.choice((5_000, 60_000))
    replies = number > 1 and draw.random() < 0.2
    data = Message(
        uuid=number.to_bytes(16, "big"),
        time=time,
        offset=draw.choice((0, 60, -840, 840)),
        author=draw.choice(AUTHORS),
        body=(f"{number} " * size)[:size],
        tags=("a", "b") if draw.random() < 0.1 else (),
        meta={"current": 3.5, "ok": True, "n": number} if draw.random() < 0.1 else {},
        reply_to=key_object_id(an_object(number // 2)[0]) if replies else None,
    ).encode()
    return object_key(data), data
