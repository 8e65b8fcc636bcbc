"""Times as text, over all that there are."""

import time

from hypothesis import given
from hypothesis import strategies as st

from msglog.key import SECOND, TIME_MAXIMUM, TIME_MINIMUM
from msglog.timestamp import readable, rfc3339


@given(st.integers(0, 253402300799))
def test_what_the_c_library_says(seconds: int) -> None:
    at = time.gmtime(seconds)
    assert rfc3339(seconds * SECOND, 0) == time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", at)
    assert readable(seconds * SECOND, 0) == time.strftime("%Y-%m-%d %H:%M:%S +0000", at)


@given(st.integers(TIME_MINIMUM, TIME_MAXIMUM), st.integers(-14 * 60, 14 * 60))
def test_people_read_the_same_time_without_its_fraction(moment: int, offset: int) -> None:
    date, _, clock = rfc3339(moment, offset).partition("T")
    assert readable(moment, offset) == f"{date} {clock[:8]} {clock[-6:-3]}{clock[-2:]}"
