"""Names of users and repositories: only what is harmless everywhere."""

import pytest

from msglog.account.name import (
    InvalidRepositoryError,
    InvalidUserError,
    check_repository_name,
    check_user_name,
    is_fingerprint,
)

BAD = [
    "",
    "-x",
    'a"b',
    "../x",
    "$(id)",
    "a b",
    "a\n",
    "\na",
    "a\r",
    "a\0",
    "a\x85",
    "a\u2028",
    "\u0430nn",  # a Cyrillic letter that looks like a
    "\uff41nn",  # a wide a
    "ann\u0301",
    "Ann",
    ".ann",
    "_ann",
    "a;id",
    "a'b",
    "a\\",
    "*",
    "٣",
    "x" * 300,
    "\udcff",
]


@pytest.mark.parametrize("name", ["ann", "a", "0", "user-1", "a.b_c-d", "x" * 32])
def test_good_users(name: str) -> None:
    assert check_user_name(name) == name


@pytest.mark.parametrize("name", [*BAD, "a/b", "x" * 33])
def test_bad_users(name: str) -> None:
    with pytest.raises(InvalidUserError, match="cannot be the name of a user"):
        check_user_name(name)


@pytest.mark.parametrize("name", ["main", "team/ops", "a/b/c/d", "x" * 64, "a.b"])
def test_good_repositories(name: str) -> None:
    assert check_repository_name(name) == name


@pytest.mark.parametrize(
    "name", [*BAD, "/main", "main/", "a//b", "a/../b", "a/.b", "..", "a..b", "a/b/c/d/e", "x" * 65]
)
def test_bad_repositories(name: str) -> None:
    with pytest.raises(InvalidRepositoryError):
        check_repository_name(name)


def test_fingerprints() -> None:
    assert is_fingerprint("SHA256:" + "a+/Z" * 10 + "abc")
    for text in ("", "SHA256:", "SHA256:" + "a" * 42, "SHA256:" + "a" * 44, "MD5:" + "a" * 43):
        assert not is_fingerprint(text)
    assert not is_fingerprint("SHA256:" + "a" * 43 + "\n")
    assert not is_fingerprint("SHA256:" + "a" * 42 + '"')
