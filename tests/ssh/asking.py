"""A server account that sshd asks about each login, instead of a file of keys."""

import json
import os
import pwd
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.ssh.sshd import User

PROGRAM = [
    # env belongs to root wherever the tests run, which is all that sshd looks at before it
    # becomes the user below; the interpreter may be anybody's.
    "/usr/bin/env",
    sys.executable,
    "-I",
    str(Path(sys.executable).with_name("msglog")),
]
SECONDS = 60.0
GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "authorized-keys-command.md"
_BLOCK = re.compile(r"^```sshd_config\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def login() -> str:
    """The UNIX account that runs the tests, the server account and the commands."""
    return pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True, slots=True)
class AskedAccount:
    """A server account in a folder; its keys are in no file that sshd reads."""

    path: Path

    def admin(self, *words: str) -> None:
        self._run(*words).check_returncode()

    def doctor(self, config: Path) -> list[str]:
        """The errors that `admin doctor` finds with a configuration of sshd."""
        lines = self._run("doctor", "--json", "--sshd-config", str(config)).stdout.splitlines()
        found = [json.loads(line) for line in lines]
        return [record["code"] for record in found if record["severity"] == "error"]

    def _run(self, *words: str) -> subprocess.CompletedProcess[bytes]:
        unread = self.path.parent / "not-read-by-sshd"
        place = ["--account", str(self.path), "--authorized-keys", str(unread)]
        environment = {"HOME": str(self.path.parent), "PATH": os.environ["PATH"]}
        return subprocess.run(
            [*PROGRAM, "admin", *words, *place], env=environment, check=False, capture_output=True
        )


def guided_lines(account: Path, authority: Path | None = None) -> list[str]:
    """Return the lines of sshd_config in the guide, for this account and program.

    authority: whose certificates count; without one, the block for keys alone.
    """
    only_keys, both = _BLOCK.findall(GUIDE.read_text())
    text = str(only_keys if authority is None else both)
    changes = {
        "User server\n": f"User {login()}\n",
        "/opt/pipx/venvs/msglog/bin/python -I /opt/pipx/venvs/msglog/bin/msglog": " ".join(PROGRAM),
        " %u %f": f" %u %f --account {account}",
        " %u %k": f" %u %k --account {account}",
        "/etc/ssh/msglog_ca.pub": f"{authority}.pub",
    }
    text = text.replace("CommandUser server\n", f"CommandUser {login()}\n")
    for old, new in changes.items():
        text = text.replace(old, new)
    return text.splitlines()


def greeting(user: User, *options: str) -> str:
    """Log in by hand and return what is said; sshd's refusal is `Permission denied`."""
    done = subprocess.run(
        ["ssh", "-T", "-F", str(user.config), *options, "server"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.stdout == b""
    return done.stderr.decode()
