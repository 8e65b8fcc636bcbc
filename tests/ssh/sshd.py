"""A private sshd on loopback, with keys made on the spot, for tests and the demonstration."""

import contextlib
import functools
import os
import pwd
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.loopback import ServerLog, free_port

START_SECONDS = 20.0
STOP_SECONDS = 5.0
ATTEMPTS = 5

SSHD_CONFIG = """\
{first}
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_ed25519
HostKey {folder}/host_ecdsa
PidFile none
AuthorizedKeysFile {folder}/authorized_keys {folder}/home/server/.ssh/authorized_keys
StrictModes no
UsePAM no
AllowUsers {login}
PermitRootLogin prohibit-password
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitUserEnvironment no
PermitUserRC no
DisableForwarding yes
PrintMotd no
PrintLastLog no
UseDNS no
{limits}
LogLevel VERBOSE
{extra}
"""

LIMITS = ("LoginGraceTime 30", "MaxStartups 300:30:400")
"""Of several MaxStartups OpenSSH 9.2 takes the last, not the first as of all else."""

PLAIN_SHELL = "SetEnv SHLVL=2"
"""With this, bash runs forced commands without the ~/.bashrc of whoever runs the tests, who may have
anything there: what takes half a second, or locks that a killed session leaves behind."""

USER_CONFIG = """\
Host server
    HostName 127.0.0.1
    Port {port}
    User {login}
    IdentityFile "{home}/.ssh/id_ed25519"
    IdentitiesOnly yes
    IdentityAgent none
    UserKnownHostsFile "{home}/.ssh/known_hosts"
    GlobalKnownHostsFile /dev/null
"""


class SshdError(Exception):
    """sshd did not start."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who connects: a home folder with a key, known_hosts and the ssh_config alias `server`."""

    name: str
    home: Path

    @property
    def key(self) -> Path:
        return self.home / ".ssh" / "id_ed25519"

    @property
    def public_key(self) -> str:
        return self.key.with_name("id_ed25519.pub").read_text().strip()

    @property
    def known_hosts(self) -> Path:
        return self.home / ".ssh" / "known_hosts"

    @property
    def config(self) -> Path:
        return self.home / ".ssh" / "config"


@dataclass(frozen=True, slots=True)
class Sshd:
    """A running sshd. login: the only account that it lets in, which is whoever runs this.

    catch_up: has all in its log that it has said.
    """

    folder: Path
    port: int
    login: str
    pid: int
    catch_up: Callable[[], object] = lambda: None

    @property
    def authorized_keys(self) -> Path:
        return self.folder / "authorized_keys"

    @property
    def host_key(self) -> str:
        """The type and the base64 text of the host key that a client is shown."""
        return " ".join((self.folder / "host_ed25519.pub").read_text().split()[:2])

    @property
    def log(self) -> str:
        self.catch_up()
        return (self.folder / "log").read_text(errors="replace")

    def make_user(self, name: str) -> User:
        """Make a home folder that knows the host; its key is not authorised yet."""
        user = User(name, self.folder / "home" / name)
        ssh = user.home / ".ssh"
        ssh.mkdir(mode=0o700, parents=True)
        make_key(user.key, comment=name)
        user.known_hosts.write_text(f"[127.0.0.1]:{self.port} {self.host_key}\n")
        user.config.write_text(USER_CONFIG.format(port=self.port, login=self.login, home=user.home))
        return user

    def authorize(self, user: User, command: str | None) -> None:
        """Let a user's key in, for one forced command, or with an ordinary shell if it is None."""
        options = "" if command is None else f'restrict,command="{_quote(command)}" '
        with self.authorized_keys.open("a") as file:
            file.write(f"{options}{user.public_key}\n")


def make_key(path: Path, *, kind: str = "ed25519", comment: str = "", passphrase: str = "") -> None:
    """Make a key pair with ssh-keygen."""
    words = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", comment, "-f", str(path)]
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, capture_output=True)


@contextlib.contextmanager
def running_sshd(
    folder: Path,
    *,
    extra: Sequence[str] = (),
    first: Sequence[str] = (),
    limits: Sequence[str] = LIMITS,
) -> Iterator[Sshd]:
    """Run sshd from a folder until the block ends.

    extra: more lines of sshd_config. first: lines before ours, in whose place sshd takes them.
    limits: of connections that nobody has logged in on.
    Raises SshdError with sshd's own words when it does not start.
    """
    program = find_sshd()
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind in ("ed25519", "ecdsa"):
        make_key(folder / f"host_{kind}", kind=kind)
    (folder / "authorized_keys").touch(mode=0o600)
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, parents=True, exist_ok=True)
    login = pwd.getpwuid(os.geteuid()).pw_name
    for _ in range(ATTEMPTS):
        port = free_port()
        config = folder / "sshd_config"
        more = list(extra)
        if not any(line.startswith("SetEnv ") for line in (*first, *more)):
            more.insert(0, PLAIN_SHELL)
        if limits and shuts_out():
            limits = (*limits, "PerSourcePenalties no")  # all users of a test have one address
        lines = {"extra": "\n".join(more), "first": "\n".join(first), "limits": "\n".join(limits)}
        config.write_text(SSHD_CONFIG.format(port=port, folder=folder, login=login, **lines))
        process = subprocess.Popen(
            [program, "-D", "-e", "-f", str(config)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        logger = ServerLog(process, folder / "log", b"Server listening on")
        if logger.ready.wait(START_SECONDS) and process.poll() is None:
            break
        _stop(process, logger)
        if "already in use" not in (folder / "log").read_text():
            raise SshdError((folder / "log").read_text())
    else:
        raise SshdError("no free port")
    try:
        yield Sshd(folder, port, login, process.pid, logger.catch_up)
    finally:
        _stop(process, logger)


@functools.cache
def shuts_out() -> bool:
    """Tell whether sshd shuts out an address for logins that failed: OpenSSH does from 9.8 on."""
    done = subprocess.run([find_sshd(), "-V"], check=False, capture_output=True, text=True)
    version = re.search(r"OpenSSH_(\d+)\.(\d+)", done.stdout + done.stderr)
    if version is None:
        raise SshdError(f"sshd does not say its version: {done.stderr}")
    return (int(version[1]), int(version[2])) >= (9, 8)


def find_sshd() -> str:
    """Return sshd's absolute path: it starts itself again by it; raises SshdError."""
    program = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if program is None:
        raise SshdError("there is no sshd: run tests/ssh/need-sshd")
    return program


def _stop(process: subprocess.Popen[bytes], logger: ServerLog) -> None:
    # Sessions under way are in sshd's process group: none of them may outlive the tests.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    logger.join(STOP_SECONDS)


def _quote(command: str) -> str:
    return command.replace('"', '\\"')  # sshd takes a backslash before anything else as it is
