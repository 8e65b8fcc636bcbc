from msglog.encoding import encode
from msglog.key import TIME_MAXIMUM, TIME_MINIMUM
from msglog.message import Message
from msglog.timestamp import DAY, HOUR, MINUTE
from porcelain.tally import day_name, tally, weekday


def message(time: int, author: str = "ann", **more: object) -> bytes:
    return Message(bytes(16), time, 0, author, "x", **more).encode()  # type: ignore[arg-type]


def test_messages_are_counted_on_local_clocks() -> None:
    parts = [
        [message(10 * DAY + 23 * HOUR + 44 * MINUTE, tags=("a", "b"))],
        [
            message(10 * DAY + 23 * HOUR + 45 * MINUTE, "bob", tags=("b",), meta={"k": 1}),
            message(0),
        ],
        [encode({"type": "vote", "uuid": bytes(16), "time": 0})],
    ]
    counted = tally(parts, lambda time: 15 if time else 0)
    assert counted.count == 4
    assert counted.authors == {"ann": 2, "bob": 1, None: 1}
    assert counted.tags == {"a": 1, "b": 2}
    assert counted.days == {0: 2, 10: 1, 11: 1}
    assert counted.weekdays == {3: 2, 6: 1, 0: 1}  # a Thursday, a Sunday, a Monday
    assert counted.hours == {0: 3, 23: 1}


def test_any_time_can_be_counted() -> None:
    counted = tally([[message(TIME_MINIMUM), message(TIME_MAXIMUM)]], lambda _: 840)
    assert sorted(day_name(day) for day in counted.days) == ["+294247-01-10", "-290308-12-22"]


def test_days() -> None:
    assert (day_name(0), weekday(0)) == ("1970-01-01", 3)
    assert (day_name(-1), weekday(-1)) == ("1969-12-31", 2)
    assert (day_name(20_484), weekday(20_484)) == ("2026-01-31", 5)
