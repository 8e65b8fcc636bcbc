"""`admin key check`: reads authorized_keys as sshd does, names what is wrong, mends what it can."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path

from msglog.account.inspection import block_lines
from msglog.account.key_view import gone
from msglog.account.keyfile import LOCK_SECONDS, KeyFileError, alone, change_mode, rewrite
from msglog.account.mending import mended_data, mended_inspection, mended_places
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace
from msglog.errors import LocalError
from plumbing.program import running_program
from porcelain.admin.examination import add_sshd_option, ask_sshd, look_at_keys
from porcelain.admin.finding import show_finding, show_fixed, show_left
from porcelain.admin.place import key_file, opened
from porcelain.display import one_line, plural
from porcelain.printing import note

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from msglog.account.findings import Inspection
    from msglog.account.key_view import KeyView
    from plumbing.context import Context
    from porcelain.admin.examination import AskedSshd

_NEGATIVE = 1


def configure(parser: ArgumentParser) -> None:
    """Add the options of `admin key check`."""
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write msglog's own lines anew and correct modes; lines of others stay as they are",
    )
    parser.add_argument(
        "-n", "--dry-run", action="store_true", help="say what --fix would do, and change nothing"
    )
    add_sshd_option(parser)
    parser.set_defaults(run=run)


def run(arguments: Namespace, context: Context) -> int:
    """Print what is wrong, or with `--fix` what was and what is left; 1 if something is."""
    sshd = ask_sshd(arguments, context)
    if sshd.settings is None:
        note(context, f"sshd's settings could not be read, and are not checked. {sshd.remedy}")
    with opened(arguments, context) as account:
        if arguments.dry_run:
            return _foretell(account, sshd, arguments, context)
        if arguments.fix:
            return _fix(account, sshd, arguments, context)
        view = look_at_keys(account, sshd, arguments, context)
    findings = view.findings()
    for finding in findings:
        show_finding(finding, context)
    if not findings:
        _praise(view.inspection, context)
    return _NEGATIVE if findings else 0


def _fix(account: Account, sshd: AskedSshd, arguments: Namespace, context: Context) -> int:
    before = look_at_keys(account, sshd, arguments, context)
    if not before.findings():
        _praise(before.inspection, context)
        return 0
    _correct_modes(before)
    view = before if before.readable else look_at_keys(account, sshd, arguments, context)
    failure = _rewrite(view, account, arguments, context) if view.readable else None
    after = look_at_keys(account, sshd, arguments, context)
    arguments.fixed = [finding.code for finding in gone(before, after)]
    status = _report(before, after, context, done=True)
    if failure is not None:
        raise failure
    return status


def _foretell(account: Account, sshd: AskedSshd, arguments: Namespace, context: Context) -> int:
    """Say what `--fix` would do; the exit status is the one that it would have."""
    before = look_at_keys(account, sshd, arguments, context)
    if not before.findings():
        _praise(before.inspection, context)
        return 0
    after = before
    if _may_change(before.inspection):
        lines = block_lines(account, running_program())
        after = replace(
            before,
            inspection=mended_inspection(before.inspection, lines if before.readable else None),
            others=tuple(mended_inspection(other, None) for other in before.others),
        )
    return _report(before, after, context, done=False)


def _may_change(inspection: Inspection) -> bool:
    return os.geteuid() in (0, inspection.owner)


def _correct_modes(view: KeyView) -> None:
    """Correct what modes can be; what cannot be is found again."""
    inspection = view.inspection
    places = [place for one in (inspection, *view.others) for place in one.places]
    files = {os.path.realpath(one.path) for one in (inspection, *view.others)}
    for old, new in mended_places(places, inspection.owner):
        path = Path(old.path)
        with (
            suppress(KeyFileError),
            alone(path, lock_seconds=LOCK_SECONDS) if old.path in files else nullcontext(),
        ):
            clear, add = old.mode & ~new.mode, new.mode & ~old.mode
            change_mode(path, old.owner, clear=clear, add=add)


def _rewrite(
    view: KeyView, account: Account, arguments: Namespace, context: Context
) -> LocalError | None:
    """Write what is ours in the file anew; return why that failed, or None."""

    def change(data: bytes) -> bytes:
        # Looked up by whoever holds the file's lock: the last of two writers sees both.
        return mended_data(view.inspection, data, block_lines(account, running_program()))

    try:
        rewrite(key_file(account, arguments, context), change, lock_seconds=LOCK_SECONDS)
    except LocalError as error:
        return error
    return None


def _report(before: KeyView, after: KeyView, context: Context, *, done: bool) -> int:
    """Print what is no more, then what is left; return the exit status."""
    fixed = list(gone(before, after))
    left = after.findings()
    for finding in fixed:
        show_fixed(finding, context, done=done)
    for finding in left:
        show_left(finding, context)
    if not context.json and not context.quiet:
        said = "fixed" if done else "would be fixed"
        path = one_line(after.inspection.path)
        context.write(f"{path}: {len(fixed)} {said}, {len(left)} left for you\n")
    return _NEGATIVE if left else 0


def _praise(inspection: Inspection, context: Context) -> None:
    if not context.json and not context.quiet:
        context.write(
            f"{one_line(inspection.path)}: {plural(len(inspection.entries()), 'line')}, all good\n"
        )
