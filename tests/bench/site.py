"""Where the peers meet: private sshds that differ in one thing each, and the links to them."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.proxy import DelayingProxy, Traffic
from tests.ssh.sshd import USER_CONFIG, Sshd, User, running_sshd

FAR_SECONDS = 0.1
DEFAULT, CURVE, FAR, COUNTED, WATCHED = "default", "curve25519", "far", "counted", "watched"
REUSED, LOADED = "reused", "loaded"
LINKS = {
    DEFAULT: "loopback, key exchange as both programs choose by default",
    CURVE: "loopback, a server that offers curve25519 alone",
    FAR: f"a round trip of {FAR_SECONDS * 1000:.0f} ms, default key exchange",
    COUNTED: "loopback through a proxy that counts bytes",
    WATCHED: "loopback, the server's program started by one that tells its peak memory",
    REUSED: "loopback, through a connection of ssh that is open already, where there is one",
}
CONTROL = """\
    ControlMaster auto
    ControlPath {sockets}/{user}
    ControlPersist 600
"""
"""The socket is named after the user: one of two keys of one login must not meet the other's."""

CROWDED = ["MaxStartups 1000", "LoginGraceTime 300"]
"""For many clients at once: sshd turns none away, and waits for those that two cores keep waiting."""

PEAK = Path(__file__).with_name("peak_memory.py")


@dataclass(frozen=True, slots=True)
class Site:
    """Running sshds and proxies. ports: by link; each is a host alias in every user's ssh_config.

    sockets: a folder whose path is short enough for those of ssh's control sockets.
    """

    folder: Path
    sshds: dict[str, Sshd]
    ports: dict[str, int]
    counted: Traffic
    sockets: Path

    def make_user(self, name: str) -> User:
        """Make a home with a key and a ssh_config that knows every link."""
        user = self.sshds[DEFAULT].make_user(name)
        blocks, hosts = [], []
        for link, port in self.ports.items():
            host = self.sshds.get(link, self.sshds[DEFAULT])
            text = USER_CONFIG.format(port=port, login=host.login, home=user.home)
            if link == REUSED:
                text += CONTROL.format(sockets=self.sockets, user=name)
            blocks.append(text.replace("Host server", f"Host {link}"))
            hosts.append(f"[127.0.0.1]:{port} {host.host_key}\n")
        user.config.write_text("\n".join(blocks))
        user.known_hosts.write_text("".join(hosts))
        return user

    def admit(self, line: str) -> None:
        """Let the key of one line of authorized_keys in, at every sshd."""
        for link, sshd in self.sshds.items():
            with sshd.authorized_keys.open("a") as file:
                file.write((self.watched_line(line) if link == WATCHED else line) + "\n")

    @property
    def peak_file(self) -> Path:
        return self.folder / "server-peak"

    def watched_line(self, line: str) -> str:
        starter = " ".join(self.watch(self.peak_file))
        if 'command="' in line:
            return line.replace('command="', f'command="{starter} ', 1)
        return f'command="{starter} sh -c \\"$SSH_ORIGINAL_COMMAND\\"" {line}'

    def watch(self, file: Path) -> tuple[str, ...]:
        """Return the words before a command that have its peak memory written to a file."""
        return (sys.executable, "-I", "-S", str(PEAK), str(file))


@contextlib.contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """Run the sshds and proxies until the block ends."""
    home = folder / "server-home"  # empty: nobody's .bashrc or .gitconfig takes part
    home.mkdir(parents=True)
    common = [f"SetEnv HOME={home} GIT_CONFIG_NOSYSTEM=1"]
    extras = {
        DEFAULT: [],
        CURVE: ["KexAlgorithms curve25519-sha256,curve25519-sha256@libssh.org"],
        WATCHED: [],
        LOADED: [],
    }
    first = {LOADED: CROWDED}
    with contextlib.ExitStack() as stack:
        sshds = {
            link: stack.enter_context(
                running_sshd(folder / link, extra=[*common, *extra], first=first.get(link, []))
            )
            for link, extra in extras.items()
        }
        near = sshds[DEFAULT].port
        far = stack.enter_context(DelayingProxy(near, FAR_SECONDS))
        counting = stack.enter_context(DelayingProxy(near, 0.0))
        ports = {link: sshd.port for link, sshd in sshds.items()}
        ports |= {FAR: far.port, COUNTED: counting.port, REUSED: near}
        sockets = Path(stack.enter_context(TemporaryDirectory(prefix="ml-", dir="/tmp")))
        yield Site(folder, sshds, ports, counting.traffic, sockets)
