"""Lines of authorized_keys under sshd's settings: which are refused, and which give more."""

from pathlib import Path

import pytest

from msglog.account.findings import Inspection
from msglog.account.forced_command import ForcedCommand, Program
from msglog.account.sshd_lines import CHECKS, check_lines_under
from msglog.account.sshd_settings import Login, parse_settings
from tests.msglog.account import keymaking as make

PATH = "/home/server/.ssh/authorized_keys"
ED25519 = make.line(make.ed25519(1))
RSA = make.line(make.rsa(3072))
SECURITY_KEY = make.line(make.sk_ed25519())
ACCEPTED = "pubkeyacceptedalgorithms"


def found(
    settings: str, *lines: str, home: str = "/nonexistent", users: tuple[int, ...] = ()
) -> list[tuple[int | None, str, str]]:
    program = Program("/python", "/msglog")
    prints = [make.key(number).fingerprint for number in users]
    inspection = Inspection(
        path=PATH,
        data="".join(f"{line}\n" for line in lines).encode(),
        expected={one: ForcedCommand(program, "ann", one) for one in prints},
        account="/a",
        default_account="/a",
        owner=1000,
    )
    login = Login("server", 1000, home, PATH)
    findings = check_lines_under(inspection, parse_settings(settings), login)
    assert all(finding.where == PATH and finding.remedy.endswith(".") for finding in findings)
    return [(finding.line, finding.code, finding.severity.value) for finding in findings]


@pytest.mark.parametrize(
    ("accepted", "lines"),
    [
        ("ssh-ed25519,rsa-sha2-512,sk-ssh-ed25519@openssh.com", []),
        ("ssh-ed25519,rsa-sha2-256,sk-*", []),
        ("*", []),
        ("ssh-ed25519", [2, 3]),
        ("rsa-sha2-256", [1, 3]),
        ("ssh-ed25519-cert-v01@openssh.com,ssh-rsa", [1, 3]),
    ],
)
@pytest.mark.parametrize("keyword", [ACCEPTED, "pubkeyacceptedkeytypes"])
def test_types_that_are_not_accepted(keyword: str, accepted: str, lines: list[int]) -> None:
    told = found(f"{keyword} {accepted}", ED25519, RSA, SECURITY_KEY)
    assert told == [(line, "refused-type", "warning") for line in lines]


def test_a_line_of_a_user_that_is_refused_is_an_error() -> None:
    told = found(f"{ACCEPTED} rsa-sha2-512", ED25519, make.line(make.ed25519(2)), users=(1,))
    assert told == [(1, "refused-type", "error"), (2, "refused-type", "warning")]


def test_an_authority_does_not_log_in_itself() -> None:
    assert found(f"{ACCEPTED} rsa-sha2-512", f"cert-authority {ED25519}") == []


@pytest.mark.parametrize(("required", "lines"), [("1024", []), ("3072", []), ("4096", [2])])
def test_small_rsa_keys(required: str, lines: list[int]) -> None:
    told = found(f"requiredrsasize {required}", ED25519, RSA)
    assert told == [(line, "refused-size", "warning") for line in lines]


@pytest.mark.parametrize(
    ("permitted", "lines"),
    [("no", []), ("yes", [1, 2]), ("LANG,LC_*", [1]), ("PATH", [2]), ("OTHER", [])],
)
def test_variables_that_are_obeyed(permitted: str, lines: list[int]) -> None:
    told = found(
        f"permituserenvironment {permitted}",
        f'environment="LC_ALL=C" {ED25519}',
        f'environment="PATH=/tmp" {RSA}',
        SECURITY_KEY,
    )
    assert told == [(line, "obeyed-environment", "error") for line in lines]


def test_a_script_that_runs_first(tmp_path: Path) -> None:
    lines = (ED25519, f"restrict {RSA}", f"no-user-rc {SECURITY_KEY}")
    assert found("permituserrc yes", *lines, home=str(tmp_path)) == []
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "rc").touch()
    for said in ("permituserrc yes", ""):
        assert found(said, *lines, home=str(tmp_path)) == [(1, "user-rc", "error")]
    assert found("permituserrc no", *lines, home=str(tmp_path)) == []


def test_what_a_sshd_does_not_say_is_not_held_against_the_lines() -> None:
    assert found("", ED25519, RSA, f'environment="A=1" {SECURITY_KEY}') == []
    assert found("requiredrsasize many", RSA) == []


def test_every_check_has_been_seen_to_find_something(tmp_path: Path) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "rc").touch()
    bad = f"{ACCEPTED} x\nrequiredrsasize 9999\npermituserenvironment yes"
    told = found(bad, f'environment="A=1" {RSA}', home=str(tmp_path))
    assert len({code for _, code, _ in told}) == len(CHECKS)
