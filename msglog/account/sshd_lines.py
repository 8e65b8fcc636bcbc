"""What sshd's settings make of single lines of authorized_keys."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from msglog.account.finding import Finding, Severity
from msglog.account.publickey import rsa_bits
from msglog.account.sshd_settings import is_on, values
from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from msglog.account.authorized_keys import Entry
    from msglog.account.findings import Inspection
    from msglog.account.sshd_settings import Login, Settings

RSA_ALGORITHMS = ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")
"""An RSA key signs in each of these ways; one that sshd accepts is enough."""

_ACCEPTED = ("pubkeyacceptedalgorithms", "pubkeyacceptedkeytypes")
"""The keyword, and its name before OpenSSH 8.5."""

Check: TypeAlias = "Callable[[Inspection, Settings, Login], Iterator[Finding]]"


def check_lines_under(inspection: Inspection, settings: Settings, login: Login) -> list[Finding]:
    """Return which lines sshd refuses by its settings, and which give more through them."""
    return [finding for check in CHECKS for finding in check(inspection, settings, login)]


def _check_types(inspection: Inspection, settings: Settings, _: Login) -> Iterator[Finding]:
    accepted = [pattern for keyword in _ACCEPTED for pattern in values(settings, keyword)]
    if not accepted:
        return
    for entry in _keys(inspection):
        algorithms = RSA_ALGORITHMS if rsa_bits(entry.blob) is not None else (entry.type,)
        if not any(fnmatchcase(name, pattern) for name in algorithms for pattern in accepted):
            yield _refused(
                inspection,
                entry,
                "refused-type",
                f"sshd does not take keys of the type {entry.type} (PubkeyAcceptedAlgorithms)",
                f"Ask its owner for another key, or add {algorithms[0]} there.",
            )


def _check_sizes(inspection: Inspection, settings: Settings, _: Login) -> Iterator[Finding]:
    required = (settings.get("requiredrsasize") or ("",))[0]
    if not required.isdecimal():
        return
    for entry in _keys(inspection):
        bits = rsa_bits(entry.blob)
        if bits is not None and bits < int(required):
            yield _refused(
                inspection,
                entry,
                "refused-size",
                f"sshd does not take an RSA key of {bits} bits (RequiredRSASize {required})",
                "Ask its owner for an Ed25519 key.",
            )


def _check_environment(inspection: Inspection, settings: Settings, _: Login) -> Iterator[Finding]:
    permitted = (settings.get("permituserenvironment") or ("no",))[0]
    if permitted == "no":
        return
    patterns = ["*"] if permitted == "yes" else permitted.split(",")
    for entry, _command in inspection.entries():
        names = [setting.partition("=")[0] for setting in entry.options.environment]
        obeyed = [name for name in names if any(fnmatchcase(name, one) for one in patterns)]
        if obeyed:
            yield Finding(
                Severity.ERROR,
                "obeyed-environment",
                inspection.path,
                entry.number,
                f"sshd sets {', '.join(obeyed[:3])} from this line (PermitUserEnvironment"
                f" {permitted[:80]})",
                "Remove `environment`, and set PermitUserEnvironment no.",
            )


def _check_rc(inspection: Inspection, settings: Settings, login: Login) -> Iterator[Finding]:
    script = Path(login.home) / ".ssh" / "rc"
    if not is_on(settings, "permituserrc", default=True) or not script.is_file():
        return
    for entry, _command in inspection.entries():
        if entry.options.user_rc:
            yield Finding(
                Severity.ERROR,
                "user-rc",
                inspection.path,
                entry.number,
                f"sshd runs {script} before what this line starts",
                "Add `restrict`, set PermitUserRC no, or remove that file.",
            )


CHECKS: tuple[Check, ...] = (_check_types, _check_sizes, _check_environment, _check_rc)
"""All checks; each looks at every line that lets somebody in."""


def _keys(inspection: Inspection) -> Iterator[Entry]:
    """Yield the lines whose key itself logs in, and not certificates by it."""
    for entry, _ in inspection.entries():
        if not entry.options.cert_authority:
            yield entry


def _refused(inspection: Inspection, entry: Entry, code: str, what: str, remedy: str) -> Finding:
    """Return that a line opens nothing: an error only where it is a user's."""
    theirs = entry.fingerprint in inspection.expected
    severity = Severity.ERROR if theirs else Severity.WARNING
    return Finding(severity, code, inspection.path, entry.number, what, remedy)
