"""Gathering what checks look at: the keys, the disk, the shell, and sshd's own settings."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from msglog.account.account import DEFAULT_REPOSITORY
from msglog.account.checkup import Checkup, Repository, Start
from msglog.account.finding import Finding, Severity
from msglog.account.findings import Inspection
from msglog.account.forced_command import quote_path
from msglog.account.inspection import inspect_other, places
from msglog.account.key_view import KeyView
from msglog.account.keyfile import KeyFileError
from msglog.account.sshd_settings import Login, is_on, key_files, parse_settings
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, replace
from msglog.errors import MsglogError
from msglog.version import __version__
from porcelain.admin.place import account_path, inspected, key_file, probable_key_file
from porcelain.admin.program import START_SECONDS

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.account.account import Account
    from msglog.account.forced_command import Program
    from msglog.account.sshd_settings import Settings
    from plumbing.context import Context

_SYSTEM_FOLDERS = "/usr/sbin:/usr/local/sbin:/sbin"
_LOCKED = ("L", "LK")
"""What passwd calls an account without a password that fits, on Debian and on Fedora."""

_ANSWER = f"msglog {__version__}\n".encode()


@dataclass(frozen=True, slots=True)
class AskedSshd:
    """What sshd said it does for an account; None where it or the account could not be asked."""

    login: Login | None
    settings: Settings | None

    @property
    def remedy(self) -> str:
        """What to do where it could not be asked."""
        name = "ACCOUNT" if self.login is None else self.login.name
        return f"Look as root at what `sshd -T -C user={name},host=localhost,addr=127.0.0.1` says."


def add_sshd_option(parser: ArgumentParser) -> None:
    """Give a parser `--sshd-config`."""
    parser.add_argument(
        "--sshd-config", metavar="FILE", help="what sshd is started with (its usual one)"
    )


def ask_sshd(arguments: Namespace, context: Context) -> AskedSshd:
    """Ask sshd what it does for the UNIX account that the server account belongs to."""
    config: str | None = arguments.sshd_config
    path = None if config is None else Path(context.directory, config)
    login = _login(arguments, context)
    return AskedSshd(login, None if login is None else sshd_settings(context, login.name, path))


def look_at_keys(
    account: Account, sshd: AskedSshd, arguments: Namespace, context: Context
) -> KeyView:
    """Look at all that decides what the keys of an account give.

    Raises ProgramNotFoundError and AccountError. What cannot be read is a finding.
    """
    unread: list[Finding] = []
    try:
        inspection = inspected(account, arguments, context)
    except KeyFileError as error:
        inspection = _unread_inspection(account, arguments, context)
        remedy = "Put that right first, then check again."
        what = f"it cannot be used ({error.why})"
        unread.append(Finding(Severity.ERROR, "unusable", inspection.path, None, what, remedy))
    if sshd.settings is None or sshd.login is None:
        return KeyView(inspection, unread=tuple(unread))
    strict = is_on(sshd.settings, "strictmodes", default=True)
    inspection = replace(inspection, strict=strict)
    others: list[Inspection] = []
    for name in _other_files(sshd.settings, sshd.login):
        try:
            others.append(inspect_other(inspection, Path(name), home=Path(context.home)))
        except KeyFileError as error:
            remedy = "Look at it as root: its lines let people in too."
            what = f"sshd reads this file too, and it is not checked ({error.why})"
            unread.append(Finding(Severity.WARNING, "unread", name, None, what, remedy))
    return KeyView(inspection, tuple(others), sshd.settings, sshd.login, tuple(unread))


def _unread_inspection(account: Account, arguments: Namespace, context: Context) -> Inspection:
    """Return what can be said of an authorized_keys without reading it."""
    path = key_file(account, arguments, context)
    folder = account.path.resolve()
    try:
        found = places(account, path, home=Path(context.home))
    except (OSError, RuntimeError):  # such as symbolic links in a circle
        found = ()
    return Inspection(
        path=str(path),
        data=b"",
        expected={},
        account=str(folder),
        default_account="",
        owner=folder.stat().st_uid,
        places=found,
    )


def _other_files(settings: Settings, login: Login) -> Iterator[str]:
    """Yield the files that sshd reads beside the one that msglog writes, each once."""
    seen = {os.path.realpath(login.key_file)}
    for name in key_files(settings, login):
        real = os.path.realpath(name)
        if real not in seen and os.path.lexists(real):
            yield name
        seen.add(real)


def _login(arguments: Namespace, context: Context) -> Login | None:
    """Return the UNIX account that the server account belongs to; before there is one, ours."""
    try:
        owner = account_path(arguments, context).stat().st_uid
    except OSError:
        owner = os.geteuid()
    entry = _entry(owner)
    if entry is None:
        return None
    path = os.path.normpath(probable_key_file(arguments, context))
    return Login(
        entry.pw_name,
        owner,
        entry.pw_dir,
        path,
        tuple(_groups(entry)),
        has_password(entry.pw_name, context),
    )


def has_password(login: str, context: Context) -> bool:
    """Tell whether a password may open a UNIX account: unless passwd says that none does.

    An ordinary user may ask it about their own account, on Debian; elsewhere it stays unknown.
    """
    passwd = shutil.which("passwd", path=f"{context.environment.get('PATH', '')}:{os.defpath}")
    if passwd is None:
        return True
    try:
        said = _run([passwd, "-S", login]).split()
    except (OSError, subprocess.SubprocessError):
        return True
    return said[:2] not in ([login, state] for state in _LOCKED)


def _groups(entry: pwd.struct_passwd) -> Iterator[str]:
    """Yield the names of a UNIX account's groups."""
    for number in os.getgrouplist(entry.pw_name, entry.pw_gid):
        with suppress(KeyError):
            yield grp.getgrgid(number).gr_name


def examine(account: Account, program: Program, context: Context) -> Checkup:
    """Look at an account; raises AccountError where it cannot be read."""
    folder = account.path.resolve()
    owner = folder.stat().st_uid
    entry = _entry(owner)
    shell = "" if entry is None else entry.pw_shell
    users = account.users()
    keys = account.keys_of()
    counts = dict.fromkeys([user.name for user in users], 0)
    for key in keys:
        counts[key.user] = counts.get(key.user, 0) + 1
    disk = os.statvfs(folder)
    times = [user.created for user in users] + [key.added for key in keys]
    return Checkup(
        path=str(folder),
        owner=owner,
        runner=os.geteuid(),
        login="" if entry is None else entry.pw_name,
        shell=shell,
        start=start_through(shell or "/bin/sh", program, Path(entry.pw_dir) if entry else folder),
        repositories=tuple(_repositories(account)),
        main=DEFAULT_REPOSITORY,
        users=tuple((user, counts[user.name]) for user in users),
        free_bytes=disk.f_bavail * disk.f_frsize,
        free_files=disk.f_favail if disk.f_files else None,
        now=context.now(),
        latest=max(times, default=0),
        foreign=tuple(sorted(foreign_files(folder, owner))),
    )


def start_through(shell: str, program: Program, home: Path) -> Start:
    """Start msglog through a login shell, as sshd starts a forced command."""
    words = [quote_path(program.interpreter), "-I", quote_path(program.script), "--version"]
    environment = {
        "HOME": str(home),
        "PATH": os.defpath,
        "SHELL": shell,
        "SSH_CLIENT": "127.0.0.1 1 22",  # bash takes this for a session of sshd, and reads files
        "SSH_CONNECTION": "127.0.0.1 1 127.0.0.1 22",
    }
    try:
        done = subprocess.run(  # noqa: S603 - the login shell of the account, as sshd runs it
            [shell, "-c", " ".join(words)],
            cwd=home if home.is_dir() else "/",
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=START_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Start(why=f"nothing came within {START_SECONDS:.0f} seconds")
    except OSError as error:
        return Start(why=error.strerror or str(error))
    if done.stdout.endswith(_ANSWER):
        return Start(before=done.stdout.removesuffix(_ANSWER).decode("utf-8", "backslashreplace"))
    said = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
    return Start(why=said[-1] if said else f"exit status {done.returncode}")


def sshd_settings(context: Context, login: str, config: Path | None) -> Settings | None:
    """Return sshd's effective settings for an account, or None where they cannot be read.

    config: another configuration than sshd's usual one. sshd itself reads it, with all that it
    includes and what it says of this account alone; it wants a host key to do so, and any will do.
    """
    sshd = shutil.which("sshd", path=f"{context.environment.get('PATH', '')}:{_SYSTEM_FOLDERS}")
    keygen = shutil.which("ssh-keygen", path=f"{context.environment.get('PATH', '')}:{os.defpath}")
    if sshd is None or keygen is None:
        return None
    with tempfile.TemporaryDirectory(prefix="msglog-") as folder:
        key = str(Path(folder) / "key")
        try:
            _run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", key])
            whom = f"user={login},host=localhost,addr=127.0.0.1"
            file = [] if config is None else ["-f", str(config)]
            text = _run([os.path.realpath(sshd), "-T", "-h", key, "-C", whom, *file])
        except (OSError, subprocess.SubprocessError):
            return None
    return parse_settings(text)


def _run(words: list[str]) -> str:
    done = subprocess.run(  # noqa: S603 - OpenSSH's own programs
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=START_SECONDS,
        check=True,
    )
    return done.stdout.decode("utf-8", "backslashreplace")


def _entry(owner: int) -> pwd.struct_passwd | None:
    try:
        return pwd.getpwuid(owner)
    except KeyError:
        return None


def _repositories(account: Account) -> Iterator[Repository]:
    """Yield the repositories of an account, each opened once."""
    for name in account.repository_names():
        try:
            account.open_repository(name).close()
        except MsglogError as error:
            yield Repository(name, error.why or error.what)
        else:
            yield Repository(name)


def foreign_files(folder: Path, owner: int) -> Iterator[str]:
    """Yield what is in an account and does not belong to its owner."""
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            path = Path(place) / name
            try:
                if path.lstat().st_uid != owner:
                    yield str(path)
            except FileNotFoundError:
                continue  # a file of a transaction that has ended
