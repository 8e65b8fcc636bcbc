"""What two looks at the same keys have in common, wherever lines have gone meanwhile."""

from msglog.account.findings import Inspection
from msglog.account.key_view import KeyView, gone
from msglog.account.place import Place
from tests.msglog.account import keymaking as make

PATH = "/home/server/.ssh/authorized_keys"


def view(*lines: str, place: Place | None = None) -> KeyView:
    return KeyView(
        Inspection(
            path=PATH,
            data="".join(f"{line}\n" for line in lines).encode(),
            expected={},
            account="/a",
            default_account="/a",
            owner=1000,
            places=() if place is None else (place,),
        )
    )


ONE, TWO = (f'restrict,command="x" {make.key(number).line}' for number in (1, 2))


def told(before: KeyView, after: KeyView) -> list[tuple[int | None, str]]:
    return [(finding.line, finding.code) for finding in gone(before, after)]


def test_a_finding_goes_along_with_its_line() -> None:
    assert told(view("", ONE, TWO), view(TWO, "", "", ONE)) == []
    assert told(view("", ONE, TWO), view(TWO)) == [(2, "other-command")]
    assert told(view(), view(ONE)) == []


def test_of_two_equal_findings_one_may_go() -> None:
    assert told(view("x", "x"), view("x")) == [(2, "unreadable")]
    assert told(view("x"), view("x", "x")) == []


def test_findings_without_a_line_are_told_apart_by_what_they_say() -> None:
    bad, other, good = (Place(PATH, 1000, mode) for mode in (0o666, 0o622, 0o600))
    assert told(view(place=bad), view(place=bad)) == []
    assert told(view(place=bad), view(place=other)) == [(None, "mode")]
    assert told(view(place=bad), view(place=good)) == [(None, "mode")]
