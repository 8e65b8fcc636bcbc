"""What sshd is told to do for one UNIX account, and what is wrong with that for a server account.

Reads what `sshd -T` prints: one keyword in small letters and its value a line, some repeated.
"""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from pathlib import PurePosixPath

from msglog.account.finding import Finding, Severity
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TypeAlias


Settings: TypeAlias = "Mapping[str, tuple[str, ...]]"
"""All values of each keyword, in their order."""

WHERE = "sshd"
DANGEROUS_VARIABLES = (
    "LD_PRELOAD",
    "LD_LIBRARY_PATH",
    "LD_AUDIT",
    "BASH_ENV",
    "ENV",
    "ZDOTDIR",
    "PATH",
    "HOME",
    "IFS",
    "SHELLOPTS",
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "SSH_ORIGINAL_COMMAND",
    "MSGLOG_DIR",
)
"""With one of these a client changes which programs or files a forced command takes."""

_ROOT = "See `man sshd_config`; have root change it, then `systemctl reload ssh`."


@dataclass(frozen=True, slots=True)
class Login:
    """The UNIX account that sshd is asked about. key_file: the authorized_keys that we write.

    groups: the names of its groups; empty if they are not known. has_password: unless it is known
    that no password opens the account.
    """

    name: str
    number: int
    home: str
    key_file: str
    groups: tuple[str, ...] = ()
    has_password: bool = True


def parse_settings(text: str) -> Settings:
    """Return what `sshd -T` printed."""
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        keyword, _, value = line.strip().partition(" ")
        if keyword:
            found[keyword.lower()] = (*found.get(keyword.lower(), ()), value.strip())
    return found


def key_files(settings: Settings, login: Login) -> list[str]:
    """Return the files in which sshd looks for keys, all of them absolute."""
    files = []
    for pattern in _words(settings, "authorizedkeysfile"):
        if pattern.lower() == "none":
            continue
        tokens = {"%%": "%", "%h": login.home, "%u": login.name, "%U": str(login.number)}
        files.append(str(PurePosixPath(login.home) / _expanded(pattern, tokens)))
    return files


def asks_for_keys(settings: Settings) -> bool:
    """Tell whether sshd asks msglog for keys."""
    return "authorized-keys" in _value(settings, "authorizedkeyscommand")


def asks_for_principals(settings: Settings) -> bool:
    """Tell whether sshd asks msglog whom a certificate is for."""
    trusted = _value(settings, "trustedusercakeys")
    command = _value(settings, "authorizedprincipalscommand")
    return trusted not in ("", "none") and "authorized-principals" in command


Check: TypeAlias = "Callable[[Settings, Login, int], Iterator[Finding]]"


def check_settings(settings: Settings, login: Login, keys: int) -> list[Finding]:
    """Return what is wrong. keys: how many there are in the account."""
    return [finding for check in CHECKS for finding in check(settings, login, keys)]


def check_key_settings(settings: Settings, login: Login, keys: int) -> list[Finding]:
    """Return what is wrong with the settings that decide whether the lines of keys count."""
    return [finding for check in KEY_CHECKS for finding in check(settings, login, keys)]


def values(settings: Settings, keyword: str) -> list[str]:
    """Return the items of a keyword whose value is a list with commas."""
    return [item for item in _value(settings, keyword).split(",") if item]


def is_on(settings: Settings, keyword: str, *, default: bool) -> bool:
    """Tell whether a keyword is yes; default: where sshd does not say it."""
    value = _value(settings, keyword)
    return value == "yes" if value else default


def _check_keys_are_read(settings: Settings, login: Login, keys: int) -> Iterator[Finding]:
    if _value(settings, "pubkeyauthentication") == "no":
        yield _error(
            "no-keys", "it takes no keys, so that nobody gets in", "Set PubkeyAuthentication yes."
        )
    methods = _words(settings, "authenticationmethods")
    if methods and not {"any", "publickey"} & {method.partition(":")[0] for method in methods}:
        yield _error(
            "methods",
            f"a key alone is not enough (AuthenticationMethods {' '.join(methods)[:80]})",
            "Set AuthenticationMethods publickey for this account.",
        )
    command = _value(settings, "authorizedkeyscommand")
    asks_others = command not in ("", "none") and not asks_for_keys(settings)
    files = key_files(settings, login)
    same = os.path.realpath(login.key_file)
    if same in [os.path.realpath(file) for file in files]:
        if asks_others:
            yield _warning(
                "unseen-keys",
                f"it also asks {command[:80]!r} for keys, which are not checked here",
                "Make sure that none of them opens this account, or take the command out.",
            )
        return
    if not keys or asks_for_keys(settings):
        return
    read = " and ".join(files) or "no file"
    if asks_others:
        yield _warning(
            "other-keys",
            f"it asks {command[:80]!r} for keys and reads {read}, but not {login.key_file}",
            "Make sure that the command gives the lines of `msglog authorized-keys`.",
        )
        return
    yield _error(
        "other-key-file",
        f"it reads {read}, and msglog writes {login.key_file}",
        "Set AuthorizedKeysFile, or name the right file with `--authorized-keys FILE`.",
    )


def _check_login(settings: Settings, login: Login, _: int) -> Iterator[Finding]:
    allowed = _words(settings, "allowusers")
    if allowed and not any(_matches(login.name, pattern) for pattern in allowed):
        yield _error("not-allowed", f"AllowUsers does not name {login.name}", "Add it there.")
    denied = [pattern for pattern in _words(settings, "denyusers") if "@" not in pattern]
    if any(_matches(login.name, pattern) for pattern in denied):
        yield _error("denied", f"DenyUsers names {login.name}", "Take it out there.")
    yield from _check_groups(settings, login)
    if login.number == 0 and _value(settings, "permitrootlogin") == "no":
        yield _error(
            "root",
            "the server account is root, who may not log in",
            "Use an account of its own for msglog.",
        )


def _check_groups(settings: Settings, login: Login) -> Iterator[Finding]:
    if not login.groups:
        return
    allowed, denied = _words(settings, "allowgroups"), _words(settings, "denygroups")
    if allowed and not _match_any(login.groups, allowed):
        yield _error(
            "not-allowed",
            f"AllowGroups names no group of {login.name}",
            f"Put {login.name} into one of them, or name another there.",
        )
    if _match_any(login.groups, denied):
        yield _error("denied", f"DenyGroups names a group of {login.name}", "Take it out there.")


def _check_root(settings: Settings, login: Login, _: int) -> Iterator[Finding]:
    if login.number == 0 and _value(settings, "permitrootlogin") != "no":
        yield _warning(
            "root", "the server account is root", "Use an account of its own for msglog."
        )


def _check_commands(settings: Settings, _login: Login, _: int) -> Iterator[Finding]:
    forced = _value(settings, "forcecommand")
    if forced not in ("", "none"):
        yield _error(
            "force-command",
            f"ForceCommand {forced[:80]!r} runs instead of msglog",
            f"Take the account out of it with a Match block. {_ROOT}",
        )
    jail = _value(settings, "chrootdirectory")
    if jail not in ("", "none"):
        yield _error(
            "chroot",
            f"ChrootDirectory {jail[:80]!r} hides msglog from its own account",
            f"Take the account out of it with a Match block. {_ROOT}",
        )


def _check_environment(settings: Settings, _login: Login, _: int) -> Iterator[Finding]:
    permitted = _value(settings, "permituserenvironment")
    if permitted not in ("", "no"):
        yield _error(
            "user-environment",
            "~/.ssh/environment and the option `environment` set variables of forced commands",
            f"Set PermitUserEnvironment no. {_ROOT}",
        )
    for pattern in _words(settings, "acceptenv"):
        taken = [name for name in DANGEROUS_VARIABLES if fnmatchcase(name, pattern)]
        if taken:
            yield _error(
                "accept-env",
                f"AcceptEnv {pattern[:80]} lets clients set {', '.join(taken[:3])}"
                f"{' and more' if len(taken) > 3 else ''}",
                f"Name only LANG and LC_* there. {_ROOT}",
            )


def _check_passwords(settings: Settings, login: Login, _: int) -> Iterator[Finding]:
    ways = {
        "passwordauthentication": "PasswordAuthentication",
        "kbdinteractiveauthentication": "KbdInteractiveAuthentication",
    }
    methods = _words(settings, "authenticationmethods")
    if methods and "any" not in methods and all("publickey" in method for method in methods):
        return
    open_ways = [name for key, name in ways.items() if _value(settings, key) == "yes"]
    if open_ways and login.has_password:
        yield _warning(
            "passwords",
            "whoever guesses the account's password gets a shell"
            f" ({' and '.join(f'{name} yes' for name in open_ways)})",
            f"Run `usermod -p '*' {login.name}` as root: then no password opens it.",
        )
    if _value(settings, "permitemptypasswords") == "yes":
        yield _error("empty-passwords", "an empty password is enough", "Set it to no.")


def _check_certificates(settings: Settings, login: Login, _: int) -> Iterator[Finding]:
    trusted = _value(settings, "trustedusercakeys")
    if trusted in ("", "none"):
        return
    command = _value(settings, "authorizedprincipalscommand")
    lists = _value(settings, "authorizedprincipalsfile")
    if command in ("", "none") and lists in ("", "none"):
        yield _error(
            "certificates",
            f"a certificate for {login.name} by a key in {trusted[:80]} gives a shell",
            "Set AuthorizedPrincipalsCommand to `msglog authorized-principals` for this account.",
        )
    elif lists not in ("", "none") or "authorized-principals" not in command:
        yield _warning(
            "certificates",
            f"certificates by a key in {trusted[:80]} may give a shell: others than msglog decide",
            "Set AuthorizedPrincipalsCommand to `msglog authorized-principals` for this account.",
        )


def _check_modes(settings: Settings, _login: Login, _: int) -> Iterator[Finding]:
    if _value(settings, "strictmodes") == "no":
        yield _warning(
            "strict-modes",
            "it reads keys that others may write to",
            f"Set StrictModes yes. {_ROOT}",
        )


CHECKS: tuple[Check, ...] = (
    _check_keys_are_read,
    _check_login,
    _check_root,
    _check_commands,
    _check_environment,
    _check_passwords,
    _check_certificates,
    _check_modes,
)
"""All checks. `PermitUserRC` and forwarding are not among them: `restrict` is stronger."""

KEY_CHECKS: tuple[Check, ...] = (
    _check_keys_are_read,
    _check_login,
    _check_commands,
    _check_modes,
)
"""Those without which it cannot be told what a line of authorized_keys does."""


def _value(settings: Settings, keyword: str) -> str:
    return (settings.get(keyword) or ("",))[0]


def _words(settings: Settings, keyword: str) -> list[str]:
    return [word for value in settings.get(keyword, ()) for word in value.split()]


def _expanded(pattern: str, tokens: Mapping[str, str]) -> str:
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        token = pattern[at : at + 2]
        taken = tokens.get(token)
        parts.append(pattern[at] if taken is None else taken)
        at += 1 if taken is None else 2
    return "".join(parts)


def _match_any(names: tuple[str, ...], patterns: list[str]) -> bool:
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)


def _matches(name: str, pattern: str) -> bool:
    """Tell whether a pattern of AllowUsers may mean a user; hosts after `@` are not judged."""
    return fnmatchcase(name, pattern.partition("@")[0])


def _error(code: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.ERROR, code, WHERE, None, what, remedy)


def _warning(code: str, what: str, remedy: str) -> Finding:
    return Finding(Severity.WARNING, code, WHERE, None, what, remedy)
