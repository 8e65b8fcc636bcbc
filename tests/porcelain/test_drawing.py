import pytest

from porcelain.drawing import draws_unicode


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({}, True),
        ({"TERM": "dumb"}, False),
        ({"LANG": "C"}, False),
        ({"LANG": "C.UTF-8", "TERM": "dumb"}, True),
        ({"LANG": "de_DE.utf8"}, True),
        ({"LC_ALL": "POSIX", "LANG": "de_DE.utf8"}, False),
        ({"LC_ALL": "", "LC_CTYPE": "en_US.UTF-8", "LANG": "C"}, True),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LC_CTYPE": "C.UTF-8"}, True),
        ({"LC_CTYPE": "C.UTF-8", "TERM": "dumb"}, False),
        ({"LC_CTYPE": "C.UTF-8", "LANG": "de_DE.utf8"}, True),
    ],
)
def test_what_can_be_drawn(environment: dict[str, str], *, expected: bool) -> None:
    assert draws_unicode(environment) is expected
