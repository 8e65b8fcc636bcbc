"""Somebody with a key, a home and the msglog of this environment, outside of the container."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.container.engine import Container, Done

SECONDS = 120.0
MSGLOG = Path(sys.executable).with_name("msglog")


@dataclass(frozen=True, slots=True)
class Client:
    """home: also the folder in which commands run, with a repository once `init` was said."""

    home: Path

    @classmethod
    def make(cls, home: Path) -> "Client":
        ssh = home / ".ssh"
        ssh.mkdir(parents=True, mode=0o700)
        subprocess.run(
            [
                "ssh-keygen",
                "-q",
                "-t",
                "ed25519",
                "-N",
                "",
                "-C",
                home.name,
                "-f",
                ssh / "id_ed25519",
            ],
            check=True,
        )
        return cls(home)

    @property
    def public_key(self) -> str:
        return (self.home / ".ssh" / "id_ed25519.pub").read_text().strip()

    def meet(self, container: Container, *, trust: bool = True) -> None:
        """Make a repository with the server as `origin`, and learn its host key from its volume."""
        if trust:
            key = container.exec("cat", "/keys/ssh_host_ed25519_key.pub").output.strip()
            known = self.home / ".ssh" / "known_hosts"
            known.write_text(f"[127.0.0.1]:{container.port} {key}\n")
        self.msglog("init", "-q")
        url = f"ssh://server@127.0.0.1:{container.port}"
        self.msglog("remote", "add", "origin", url)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", os.defpath),
            "LC_ALL": "C.UTF-8",
            "MSGLOG_AUTHOR": self.home.name,
        }

    def ssh_options(self, container: Container) -> list[str]:
        """Return what OpenSSH's client needs to log in at the server."""
        ssh = self.home / ".ssh"
        known = f"UserKnownHostsFile={ssh / 'known_hosts'}"
        options = ["-F", "none", "-p", str(container.port), "-i", str(ssh / "id_ed25519")]
        return [*options, "-o", known, "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes"]

    def msglog(self, *words: str, status: int = 0, given: str = "") -> str:
        """Run msglog; return all that it says. The exit status must be the one that is given."""
        done = self.run(str(MSGLOG), *words, given=given)
        assert done.status == status, (words, done)
        return done.output

    def run(self, *words: str, given: str = "") -> Done:
        done = subprocess.run(
            words,
            cwd=self.home,
            env=self.environment,
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Done(done.returncode, done.stdout)
