"""Modes and owners of files and folders: what is wrong with them, and what is put right."""

import pytest

from msglog.account.place import Place, check_place, mended

OWNER = 1000


def codes(place: Place, *, strict: bool = True, owner: int = OWNER) -> list[str]:
    return [finding.code for finding in check_place(place, owner, strict=strict)]


@pytest.mark.parametrize(
    ("place", "mode"),
    [
        (Place("/k", OWNER, 0o666, kept=True), 0o644),
        (Place("/k", OWNER, 0o000, kept=True), 0o400),
        (Place("/k", OWNER, 0o200, kept=True), 0o600),
        (Place("/d", OWNER, 0o777, folder=True, kept=True), 0o755),
        (Place("/d", OWNER, 0o2775, folder=True, kept=True), 0o2755),
        (Place("/d", OWNER, 0o600, folder=True, kept=True), 0o700),
        (Place("/a", OWNER, 0o755, private=True, folder=True, kept=True, passed=False), 0o700),
        (Place("/b", OWNER, 0o664, kept=True, passed=False), 0o644),
    ],
)
def test_what_is_wrong_is_put_right(place: Place, mode: int) -> None:
    assert codes(place)
    better = mended(place, OWNER)
    assert better.mode == mode
    assert codes(better) == []
    assert mended(better, OWNER) == better


@pytest.mark.parametrize(
    "place",
    [
        Place("/srv", OWNER, 0o777, folder=True),
        Place("/tmp", OWNER, 0o1777, folder=True, kept=True),
        Place("/k", 0, 0o666, kept=True),
        Place("/k", OWNER + 1, 0o666, kept=True),
        Place("/k", 0, 0o600, kept=True),
    ],
)
def test_what_is_not_ours_to_change_is_named_only(place: Place) -> None:
    assert codes(place)
    assert mended(place, OWNER) == place


def test_what_root_keeps_from_the_account() -> None:
    assert codes(Place("/k", 0, 0o600)) == ["unreadable-file"]
    assert codes(Place("/d", 0, 0o700, folder=True)) == ["unreadable-file"]
    for mode in (0o640, 0o604):
        assert codes(Place("/k", 0, mode)) == []
    assert codes(Place("/d", 0, 0o711, folder=True)) == []
    assert codes(Place("/k", 0, 0o600), owner=0) == []
    assert codes(Place("/b", 0, 0o600, passed=False)) == []


def test_what_comes_of_a_mode_depends_on_sshd() -> None:
    def what(place: Place, *, strict: bool) -> str:
        (finding,) = check_place(place, OWNER, strict=strict)
        return finding.what

    place = Place("/k", OWNER, 0o666)
    assert "sshd then ignores the keys" in what(place, strict=True)
    assert "let themselves in" in what(place, strict=False)
    assert "let themselves in" in what(Place("/b", OWNER, 0o666, passed=False), strict=True)
