"""Names of logs and remotes: what is allowed, and every look-alike that is not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.refname import (
    InvalidNameError,
    check_log_name,
    check_remote_name,
    is_log_name,
    log_of,
    log_ref,
    tracking_ref,
)

PART = "a" * 64
HOSTILE = [
    "",
    "-x",
    ".hidden",
    "_x",
    "a b",
    "a\n",
    "a\r",
    "a\0",
    "a\u0085",
    "a\u2028",
    "../x",
    "a/../b",
    "a..b",
    "$(id)",
    "a;b",
    'a"b',
    "a%h",
    "a\\b",
    "a:b",
    "ä",
    "\N{CYRILLIC SMALL LETTER A}",
    "\N{FULLWIDTH LATIN SMALL LETTER A}",
    "٣",
    "a\x1b[31m",
    PART + "a",
    "a" * 300,
]


@pytest.mark.parametrize(
    "name", ["main", "a", "0", "team/ops", "a/b/c/d", "a.b_c-d", f"{PART}/{PART}/{PART}/{PART}"]
)
def test_names_that_a_log_may_have(name: str) -> None:
    assert is_log_name(name)
    assert check_log_name(name) == name
    assert log_ref(name) == f"refs/logs/{name}"
    assert tracking_ref("origin", name) == f"refs/remotes/origin/{name}"


@pytest.mark.parametrize(
    "name", [*HOSTILE, "A", "Main", "/a", "a/", "a//b", "a/b/c/d/e", "a/.b", "a/-b"]
)
def test_names_that_a_log_may_not_have(name: str) -> None:
    assert not is_log_name(name)
    with pytest.raises(InvalidNameError) as caught:
        check_log_name(name)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("name", [*HOSTILE, "a/b"])
def test_names_that_a_remote_may_not_have(name: str) -> None:
    with pytest.raises(InvalidNameError) as caught:
        check_remote_name(name)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["origin", "Origin2", "a.b-c_d", "A" * 64])
def test_names_that_a_remote_may_have(name: str) -> None:
    assert check_remote_name(name) == name


@given(st.text(max_size=12))
def test_an_accepted_name_is_safe_as_a_path_and_on_a_command_line(name: str) -> None:
    if is_log_name(name):
        assert name.isascii()
        assert name.isprintable()
        assert not set(name) & set(" \\'\"$`;&|<>*?()[]{}!#~=%:@,^+")
        assert all(part and part[0] not in ".-_" and ".." not in part for part in name.split("/"))


def test_the_log_of_a_ref() -> None:
    assert log_of(log_ref("lab/p01")) == "lab/p01"
    assert log_of(tracking_ref("My.Lab", "lab/p01")) == "lab/p01"
    assert log_of("refs/notes/main") == ""
