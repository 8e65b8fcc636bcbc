"""The walk-through: three users and a server account over a private sshd, as typed in terminals.

`python -m tests.ssh.demo` plays it with the installed `msglog`, and cleans up after itself. Where it
says `server`, a ssh_config alias, people would say `server@host`: here the account is a folder, for
the sshd lets in nobody but whoever runs this.
"""

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.ssh.sshd import Sshd, SshdError, running_sshd

COMMAND_SECONDS = 60.0
USERS = ("user1", "user2", "user3")


class DemoError(Exception):
    """A line of the walk-through did not do what it should."""


@dataclass(slots=True)
class Demo:
    """The terminals of the walk-through, shown as one transcript on `out`.

    store: where the server account is made, if not in files.
    """

    folder: Path
    programs: Path
    out: TextIO
    store: str = ""
    played: int = field(default=0)

    def home(self, who: str) -> Path:
        return self.folder / "home" / who

    def say(self, text: str) -> None:
        self.out.write(f"\n# {text}\n")
        self.out.flush()

    def type(self, who: str, *words: str, status: int = 0, shows: Sequence[str] = ()) -> str:
        """Type a command as a user, show it and what it says, and check both; return what it says.

        status: the exit status that it must have. shows: what its output must contain.
        """
        home = self.home(who)
        line = shlex.join(words)
        self.out.write(f"{who}$ {line}\n".replace(str(home), "~"))
        self.out.flush()
        environment = {
            "HOME": str(home),
            "PATH": f"{self.programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "LC_ALL": "C.UTF-8",
            "MSGLOG_AUTHOR": who,
            "MSGLOG_STORE": self.store,
        }
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            check=False,
        )
        said = done.stdout.decode("utf-8", "backslashreplace")
        self.out.write(said.replace(str(home), "~"))
        if done.returncode:
            self.out.write(f"[exit status {done.returncode}]\n")
        self.out.flush()
        if done.returncode != status:
            raise DemoError(f"{who}: {line}: exit status {done.returncode}, not {status}")
        for text in shows:
            if text not in said:
                raise DemoError(f"{who}: {line}: does not show {text!r}")
        self.played += 1
        return said


def play(demo: Demo, sshd: Sshd) -> None:
    """Play the walk-through; raises DemoError where it goes wrong."""
    demo.home("server").mkdir(mode=0o700, parents=True)
    for name in USERS:
        user = sshd.make_user(name)
        shutil.copy(user.key.with_name("id_ed25519.pub"), demo.home("server") / f"{name}.pub")

    demo.say("The server account: its users, what they may do, and the keys they come with")
    demo.type("server", "msglog", "admin", "init")
    for name, role in zip(USERS, ("write", "write", "none"), strict=True):
        demo.type("server", "msglog", "admin", "user", "add", name, "--role", role)
        demo.type("server", "msglog", "admin", "key", "add", name, f"{name}.pub")
    # As sshd would read the keys of a UNIX account with this home.
    keys = demo.home("server") / ".ssh" / "authorized_keys"
    (demo.home("server") / "sshd_config").write_text(f"HostKey none\nAuthorizedKeysFile {keys}\n")
    check = ["key", "check", "--sshd-config", "sshd_config"]
    demo.type("server", "msglog", "admin", *check, shows=["3 lines, all good"])

    demo.say("Two users write, push and pull")
    for name in ("user1", "user2"):
        demo.type(name, "msglog", "init")
        demo.type(name, "msglog", "remote", "add", "origin", "server")
    demo.type("user1", "msglog", "add", "msg from user 1")
    demo.type("user1", "msglog", "push", "origin", shows=["1 pushed"])
    demo.type("user2", "msglog", "add", "msg from user 2")
    demo.type("user2", "msglog", "pull", "origin", shows=["1 pulled"])
    both = ["msg from user 1", "msg from user 2"]
    demo.type("user2", "msglog", "list", shows=both)
    demo.type("user2", "msglog", "push", "origin", shows=["1 pushed"])
    demo.type("user1", "msglog", "pull", "origin", shows=["1 pulled"])
    demo.type("user1", "msglog", "list", shows=both)

    demo.say("The two logs are equal: one root, and nothing left to send")
    roots = {demo.type(name, "msglog", "rev-parse", "main") for name in ("user1", "user2")}
    if len(roots) != 1:
        raise DemoError(f"the logs are not equal: {roots}")
    demo.type("user1", "msglog", "ls-remote", "origin", shows=[*roots.pop().split(), "refs/logs"])
    demo.type("user1", "msglog", "push", "origin", shows=["0 pushed"])

    demo.say("A user whose key is known but who has no role")
    demo.type("user3", "msglog", "init")
    demo.type("user3", "msglog", "remote", "add", "origin", "server")
    demo.type("user3", "msglog", "add", "msg from user 3")
    demo.type("user3", "msglog", "push", "origin", status=3, shows=["not authorised"])
    demo.type("user3", "msglog", "pull", "origin", status=3, shows=["not authorised"])

    demo.say("The account gives nobody a shell")
    connecting = str(sshd.folder / "home" / "user1" / ".ssh" / "config")
    demo.type("user1", "ssh", "-F", connecting, "server", "id", status=2, shows=["nothing else"])


def main(out: TextIO, store: str = "") -> int:
    """Set up, play and clean up; return the exit status."""
    programs = Path(sys.executable).parent
    if not (programs / "msglog").exists():
        out.write(f"demo: there is no msglog in {programs}: run `make demo`\n")
        return 1
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="msglog-demo-") as folder:
        demo = Demo(Path(folder), programs, out, store)
        # A session finds the server's home where a UNIX account of its own would have it.
        environment = f"SetEnv HOME={demo.home('server')}"
        try:
            with running_sshd(demo.folder, extra=[environment]) as sshd:
                out.write(f"# A private sshd listens on 127.0.0.1 port {sshd.port}\n")
                play(demo, sshd)
        except (DemoError, SshdError, subprocess.TimeoutExpired) as error:
            out.write(f"\ndemo: failed after {demo.played} commands: {error}\n")
            return 1
    seconds = time.monotonic() - start
    out.write(f"\ndemo: all {demo.played} commands did what they should, in {seconds:.1f} s\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.stdout))
