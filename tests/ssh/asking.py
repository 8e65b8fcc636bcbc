"""A server account that sshd asks about each login, instead of a file of keys."""

import os
import pwd
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


def login() -> str:
    """The UNIX account that runs the tests, the server account and the commands."""
    return pwd.getpwuid(os.geteuid()).pw_name


@dataclass(frozen=True, slots=True)
class AskedAccount:
    """A server account in a folder; its keys are in no file that sshd reads."""

    path: Path

    def admin(self, *words: str) -> None:
        unread = self.path.parent / "not-read-by-sshd"
        place = ["--account", str(self.path), "--authorized-keys", str(unread)]
        environment = {"HOME": str(self.path.parent), "PATH": os.environ["PATH"]}
        subprocess.run(
            [*PROGRAM, "admin", *words, *place], env=environment, check=True, capture_output=True
        )


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
