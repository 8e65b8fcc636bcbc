"""What `admin key check` says: one file for each thing that can be wrong."""

from collections.abc import Mapping

import pytest

from msglog.account.finding import Finding, Severity
from msglog.account.findings import Inspection, check_lines, check_other_lines
from msglog.account.forced_command import ForcedCommand, Program
from msglog.account.managed_block import key_line, replace_block
from msglog.account.place import Place
from msglog.dataclass import replace
from tests.msglog.account import keymaking as make

ACCOUNT = "/home/server/.msglog-server"
PROGRAM = Program("/venv/bin/python", "/venv/bin/msglog")
USERS = {1: "ann", 2: "bob"}


def command(user: str, number: int, account: str | None = None) -> ForcedCommand:
    return ForcedCommand(PROGRAM, user, make.key(number).fingerprint, account)


def line(user: str, number: int) -> str:
    return key_line(command(user, number), make.key(number))


EXPECTED = {make.key(number).fingerprint: command(user, number) for number, user in USERS.items()}
LINES = [line(user, number) for number, user in USERS.items()]
GOOD = replace_block(b"# ours\n", ACCOUNT, LINES)
FOREIGN = make.key(9)


def check(
    data: bytes, *, expected: Mapping[str, ForcedCommand] = EXPECTED, **more: object
) -> list[Finding]:
    given: dict[str, object] = {
        "path": "/home/server/.ssh/authorized_keys",
        "data": data,
        "expected": expected,
        "account": ACCOUNT,
        "default_account": ACCOUNT,
        "owner": 1000,
    }
    return check_lines(Inspection(**{**given, **more}))  # type: ignore[arg-type]


def codes(data: bytes) -> set[tuple[int | None, str]]:
    return {(finding.line, finding.code) for finding in check(data)}


def test_what_we_write_is_good() -> None:
    assert check(GOOD) == []
    assert check(b"", expected={}) == []


def test_the_account_may_be_elsewhere() -> None:
    expected = {make.key(1).fingerprint: command("ann", 1, "/srv/logs")}
    text = key_line(command("ann", 1, "/srv/logs"), make.key(1))
    data = replace_block(b"", "/srv/logs", [text])
    assert check(data, expected=expected, account="/srv/logs") == []


def with_line(text: str) -> bytes:
    """The good file with one more line in front, which is line 1."""
    return text.encode() + b"\n" + GOOD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (FOREIGN.line, {"shell", "forwarding", "terminal", "unrestricted"}),
        (f"restrict {FOREIGN.line}", {"shell"}),
        (f"restrict,pty {FOREIGN.line}", {"shell", "terminal"}),
        (f"restrict,user-rc {FOREIGN.line}", {"shell", "terminal"}),
        (f'restrict,command="backup" {FOREIGN.line}', {"other-command"}),
        (f'restrict,port-forwarding,command="x" {FOREIGN.line}', {"forwarding", "other-command"}),
        (f'restrict,agent-forwarding,command="x" {FOREIGN.line}', {"forwarding", "other-command"}),
        (f'restrict,X11-forwarding,command="x" {FOREIGN.line}', {"forwarding", "other-command"}),
        (f'restrict,tunnel="0",command="x" {FOREIGN.line}', {"forwarding", "other-command"}),
        (
            f'no-pty,no-port-forwarding,no-agent-forwarding,no-x11-forwarding,no-user-rc,command="x" {FOREIGN.line}',
            {"unrestricted", "other-command"},
        ),
        (f'restrict,environment="A=1",command="x" {FOREIGN.line}', {"environment", "other-command"}),
        (f'restrict,cert-authority,command="x" {FOREIGN.line}', {"certificates", "other-command"}),
        (f'restrict,command="x" {make.line(make.rsa(1024))}', {"weak-key", "other-command"}),
        (f"nonsense {FOREIGN.line}", {"unreadable"}),
        ("nonsense", {"unreadable"}),
        (f'restrict,command="x" {FOREIGN.line} a\0b', {"nul", "other-command"}),
        # In the form of msglog, but by hand.
        (line("eve", 9), {"unknown-key", "outside-block"}),
        (
            f'command="msglog receive-pack eve" {FOREIGN.line}',
            {"unknown-key", "outside-block", "wrong-key", "command-form", "unrestricted",
             "forwarding", "terminal"},
        ),
    ],
)  # fmt: skip
def test_a_line_of_somebody_else(text: str, expected: set[str]) -> None:
    assert codes(with_line(text)) == {(1, code) for code in expected}


def test_a_line_for_another_account_is_judged_by_its_form_only() -> None:
    other = key_line(command("eve", 9, "/srv/other"), FOREIGN)
    assert codes(replace_block(GOOD, "/srv/other", [other])) == set()
    bad = replace_block(GOOD, "/srv/other", [other.replace("restrict,", "")])
    assert {code for _, code in codes(bad)} == {"unrestricted", "forwarding", "terminal"}


def swapped(old: str, new: str) -> bytes:
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode(), 1)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (swapped("receive-pack ann", "receive-pack bob"), {(3, "wrong-user")}),
        (swapped("restrict,", ""), {(3, "unrestricted"), (3, "forwarding"), (3, "terminal")}),
        (swapped("restrict,", "restrict,pty,"), {(3, "terminal")}),
        (swapped(" -I ", " "), {(3, "command-form")}),
        (swapped("/venv/bin/python", "/usr/bin/python3"), {(3, "other-program")}),
        (
            swapped(make.key(1).fingerprint, make.key(2).fingerprint),
            {(3, "wrong-key")},
        ),
        (swapped(" --key " + make.key(1).fingerprint, ""), {(3, "wrong-key"), (3, "command-form")}),
        (swapped('" ssh', ' ; sh" ssh'), {(3, "command-form")}),
        (swapped(LINES[0] + "\n", ""), {(None, "missing-line")}),
        (swapped(LINES[0] + "\n", LINES[0] + "\n" + LINES[0] + "\n"), {(4, "duplicate")}),
        (swapped(LINES[0] + "\n", LINES[0] + "\n" + line("eve", 9) + "\n"), {(4, "unknown-key")}),
        (
            swapped(LINES[0] + "\n", LINES[0] + f'\nrestrict,command="x" {FOREIGN.line}\n'),
            {(4, "other-command"), (4, "inside-block")},
        ),
        (swapped("restrict,", 'restrict,from="10.0.0.0/8",'), {(3, "edited")}),
        (GOOD.replace(b"# END", b"# end"), {(2, "block")}),
        (GOOD + b"# END msglog /home/server/.msglog-server\n", {(6, "block")}),
        (b"", {(None, "missing-line")}),
    ],
)
def test_a_line_of_ours_that_was_changed(
    data: bytes, expected: set[tuple[int | None, str]]
) -> None:
    assert codes(data) == expected


def test_a_bare_line_in_front_takes_a_key_over() -> None:
    found = check(with_line(make.key(1).line))
    assert (4, "duplicate") in {(finding.line, finding.code) for finding in found}
    assert (1, "shell") in {(finding.line, finding.code) for finding in found}


def test_cr_lf_does_not_hide_anything() -> None:
    data = with_line(FOREIGN.line).replace(b"\n", b"\r\n")
    assert codes(data) == {
        (1, code) for code in ("shell", "forwarding", "terminal", "unrestricted")
    }


def test_programs_that_are_gone_are_named() -> None:
    found = check(GOOD, missing=frozenset({"/venv/bin/msglog"}))
    assert [(finding.line, finding.code) for finding in found] == [
        (3, "missing-program"),
        (4, "missing-program"),
    ]


def test_a_program_that_does_not_start_is_named() -> None:
    (found,) = check(GOOD, unstartable="no module named msglog")
    assert (found.line, found.code) == (None, "not-starting")
    assert "no module named msglog" in found.what


@pytest.mark.parametrize(
    ("place", "code"),
    [
        (Place("/home/server/.ssh", 1000, 0o700), None),
        (Place("/home/server/.ssh", 0, 0o755), None),
        (Place("/home/server/.ssh", 1000, 0o770), "mode"),
        (Place("/home/server/.ssh", 1000, 0o702), "mode"),
        (Place("/home/server/.ssh", 1000, 0o777), "mode"),
        (Place("/home/server/.ssh", 1001, 0o700), "owner"),
        (Place(ACCOUNT, 1000, 0o700, private=True), None),
        (Place(ACCOUNT, 1000, 0o750, private=True), "mode"),
        (Place(ACCOUNT, 1000, 0o704, private=True), "mode"),
    ],
)
def test_places_that_others_can_change(place: Place, code: str | None) -> None:
    found = check(GOOD, places=(place,))
    assert [finding.code for finding in found] == ([] if code is None else [code])
    assert all(finding.where == place.path for finding in found)


def test_every_finding_says_what_to_do() -> None:
    for finding in check(with_line(FOREIGN.line)) + check(b""):
        assert isinstance(finding.severity, Severity)
        assert finding.what
        assert not finding.what.endswith(".")
        assert finding.remedy.endswith(".")


def test_no_line_is_missing_in_a_file_that_msglog_does_not_write() -> None:
    inspection = Inspection(
        path="/home/server/.ssh/authorized_keys2",
        data=with_line(FOREIGN.line),
        expected=EXPECTED,
        account=ACCOUNT,
        default_account=ACCOUNT,
        owner=1000,
        unstartable="it is broken",
    )
    shell = {"shell", "forwarding", "terminal", "unrestricted"}
    assert {finding.code for finding in check_other_lines(inspection)} == shell
    assert check_other_lines(replace(inspection, data=b"")) == []
    assert {finding.code for finding in check_lines(replace(inspection, data=b""))} == {
        "missing-line",
        "not-starting",
    }


def test_a_line_outside_of_the_block_is_not_written_anew() -> None:
    found = check(with_line(line("eve", 9).replace(" -I ", " ")))
    assert {finding.remedy for finding in found if finding.code == "command-form"} == {
        "Remove the line. Run `msglog admin key sync`."
    }
