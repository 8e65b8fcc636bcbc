"""sshd's settings for a server account: what is fine, and what each bad one is called."""

import pytest

from msglog.account.finding import Severity
from msglog.account.sshd_settings import (
    CHECKS,
    Login,
    asks_for_keys,
    check_key_settings,
    check_settings,
    key_files,
    parse_settings,
)
from msglog.dataclass import replace

LOGIN = Login("server", 1001, "/home/server", "/home/server/.ssh/authorized_keys")

GOOD = """\
pubkeyauthentication yes
authenticationmethods publickey
authorizedkeysfile .ssh/authorized_keys .ssh/authorized_keys2
authorizedkeyscommand none
passwordauthentication yes
kbdinteractiveauthentication no
permitemptypasswords no
permitrootlogin without-password
permituserenvironment no
permituserrc yes
strictmodes yes
acceptenv LANG
acceptenv LC_*
forcecommand none
chrootdirectory none
trustedusercakeys none
authorizedprincipalsfile none
authorizedprincipalscommand none
"""


def codes(*lines: str, login: Login = LOGIN, keys: int = 1) -> list[tuple[str, str]]:
    """What is found when some settings are otherwise; several of one keyword are kept."""
    changed = {line.split()[0] for line in lines}
    kept = [line for line in GOOD.splitlines() if line.split()[0] not in changed]
    found = check_settings(parse_settings("\n".join([*kept, *lines])), login, keys)
    assert all(finding.remedy.endswith(".") and finding.what for finding in found)
    return [(finding.code, finding.severity.value) for finding in found]


def test_good_settings_are_good() -> None:
    assert codes() == []


def test_what_a_sshd_does_not_say_is_not_held_against_it() -> None:
    assert check_settings(parse_settings(""), LOGIN, 0) == []


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("pubkeyauthentication no", "no-keys"),
        ("authenticationmethods password", "methods"),
        ("authenticationmethods publickey,password", "methods"),
        ("authorizedkeysfile /etc/ssh/keys/%u", "other-key-file"),
        ("authorizedkeysfile none", "other-key-file"),
        ("allowusers ann bob", "not-allowed"),
        ("denyusers serv*", "denied"),
        ("forcecommand internal-sftp", "force-command"),
        ("chrootdirectory /srv/%u", "chroot"),
        ("permituserenvironment yes", "user-environment"),
        ("permituserenvironment LANG,PATH", "user-environment"),
        ("acceptenv *", "accept-env"),
        ("acceptenv LANG LD_*", "accept-env"),
        ("acceptenv BASH_ENV", "accept-env"),
        ("acceptenv PYTHON*", "accept-env"),
        ("acceptenv HOM?", "accept-env"),
        ("permitemptypasswords yes", "empty-passwords"),
        ("trustedusercakeys /etc/ssh/ca.pub", "certificates"),
    ],
)
def test_an_error_is_named(line: str, code: str) -> None:
    more = ["authenticationmethods any"] if line.startswith("permitempty") else []
    found = codes(line, *more, "passwordauthentication no")
    assert found == [(code, "error")]


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["authenticationmethods any"], "passwords"),
        (["authenticationmethods publickey password"], "passwords"),
        (["strictmodes no"], "strict-modes"),
        (
            [
                "trustedusercakeys /etc/ssh/ca.pub",
                "authorizedprincipalsfile /etc/ssh/principals/%u",
            ],
            "certificates",
        ),
        (
            ["trustedusercakeys /x", "authorizedprincipalscommand /usr/bin/names %u"],
            "certificates",
        ),
        (
            ["authorizedkeyscommand /usr/bin/ldap-keys %u", "authorizedkeysfile none"],
            "other-keys",
        ),
        (["authorizedkeyscommand /usr/bin/ldap-keys %u"], "unseen-keys"),
    ],
)
def test_a_warning_is_named(lines: list[str], code: str) -> None:
    assert codes(*lines) == [(code, "warning")]


@pytest.mark.parametrize(
    "lines",
    [
        ["authenticationmethods any", "passwordauthentication no"],
        ["authenticationmethods password publickey", "passwordauthentication no"],
        ["authenticationmethods publickey:bound"],
        ["allowusers ann server@10.0.0.0/8"],
        ["denyusers server@10.0.0.1"],
        ["authorizedkeysfile %h/.ssh/authorized_keys"],
        ["authorizedkeysfile /home/%u/.ssh/authorized_keys"],
        ["authorizedkeyscommand /opt/bin/msglog authorized-keys %u %f", "authorizedkeysfile none"],
        ["trustedusercakeys /x", "authorizedprincipalscommand /m authorized-principals %u %k"],
    ],
)
def test_other_good_settings(lines: list[str]) -> None:
    assert codes(*lines) == []


def test_what_has_no_password_is_not_opened_by_one() -> None:
    locked = replace(LOGIN, has_password=False)
    assert codes("authenticationmethods any", login=locked) == []


def test_an_account_without_keys_needs_no_file() -> None:
    assert codes("authorizedkeysfile none", keys=0) == []


def test_an_account_of_root_is_no_good_idea() -> None:
    root = Login("root", 0, "/root", "/root/.ssh/authorized_keys")
    assert codes(login=root) == [("root", "warning")]
    assert codes("permitrootlogin no", login=root) == [("root", "error")]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("allowgroups ssh staff", "not-allowed"),
        ("allowgroups ser*", None),
        ("denygroups ser*", "denied"),
        ("denygroups staff", None),
    ],
)
def test_groups(line: str, code: str | None) -> None:
    login = replace(LOGIN, groups=("server", "users"))
    assert codes(line, login=login) == ([] if code is None else [(code, "error")])
    assert codes(line) == []


def test_for_keys_only_some_settings_matter() -> None:
    def told(line: str) -> list[str]:
        return [one.code for one in check_key_settings(parse_settings(line), LOGIN, 0)]

    for line in ("passwordauthentication yes", "acceptenv *", "trustedusercakeys /x"):
        assert told(line) == []
        assert check_settings(parse_settings(line), LOGIN, 0)
    assert told("forcecommand x") == ["force-command"]


def test_tokens_are_expanded_once() -> None:
    settings = parse_settings("authorizedkeysfile /k/%%u/%u/%U %h/keys relative none %x")
    assert key_files(settings, LOGIN) == [
        "/k/%u/server/1001",
        "/home/server/keys",
        "/home/server/relative",
        "/home/server/%x",
    ]


def test_whether_msglog_is_asked_for_keys() -> None:
    assert not asks_for_keys(parse_settings(GOOD))
    assert asks_for_keys(parse_settings("authorizedkeyscommand /m authorized-keys %u %f"))


def test_every_check_has_been_seen_to_find_something() -> None:
    bad = parse_settings(
        "pubkeyauthentication no\nallowusers ann\nforcecommand x\nacceptenv *\n"
        "passwordauthentication yes\ntrustedusercakeys x\nstrictmodes no"
    )
    root = replace(LOGIN, number=0)
    for check in CHECKS:
        assert list(check(bad, root, 1)), check
    severities = {finding.severity for check in CHECKS for finding in check(bad, LOGIN, 1)}
    assert severities == set(Severity)
