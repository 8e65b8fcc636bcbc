"""The walk-through in containers: a server and three people, each in one of their own.

`python -m tests.container.demo` builds the image, plays it and removes all that it made. The compose
file in docs/deploy/container/ has the same four services, for whoever wants to type it.
"""

import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.container.client import Client
from tests.container.engine import Container, Engine, EngineError, find_engine, running, volumes

USERS = ("user1", "user2", "user3")


class DemoError(Exception):
    """A line of the walk-through did not do what it should."""


@dataclass(slots=True)
class Demo:
    """The terminals of the walk-through: one in each container."""

    containers: dict[str, Container]
    out: TextIO
    played: int = 0

    def say(self, text: str) -> None:
        self.out.write(f"\n# {text}\n")
        self.out.flush()

    def type(self, who: str, *words: str, status: int = 0, shows: Sequence[str] = ()) -> str:
        """Type a command as a user, show it and what it says, and check both."""
        line = shlex.join(words)
        self.out.write(f"{who}$ {line}\n")
        done = self.containers[who].exec(
            *("env", f"HOME=/home/{who}", f"MSGLOG_AUTHOR={who}", "LC_ALL=C.UTF-8"),
            *("sh", "-c", f'cd "$HOME" && {line}'),
            user=who,
            check=False,
        )
        self.out.write(done.output)
        if done.status:
            self.out.write(f"[exit status {done.status}]\n")
        self.out.flush()
        if done.status != status:
            raise DemoError(f"{who}: {line}: exit status {done.status}, not {status}")
        for text in shows:
            if text not in done.output:
                raise DemoError(f"{who}: {line}: does not show {text!r}")
        self.played += 1
        return done.output


@contextmanager
def terminals(engine: Engine) -> Iterator[dict[str, Container]]:
    """Start a container for each user, in which nothing runs until something is typed."""
    with ExitStack() as stack:
        made = {
            name: stack.enter_context(
                running(
                    engine,
                    *("--entrypoint", "/usr/bin/tini"),
                    words=("--", "sleep", "infinity"),
                )
            )
            for name in USERS
        }
        for name, container in made.items():
            container.exec("useradd", "--create-home", "--shell", "/bin/dash", name)
        yield made


def play(demo: Demo, admin: Client, server: Container) -> None:
    """Play the walk-through; raises DemoError where it goes wrong."""
    host_key = server.exec("cat", "/keys/ssh_host_ed25519_key.pub").output.strip()
    known = f"[127.0.0.1]:{server.port} {host_key}"
    url = f"ssh://server@127.0.0.1:{server.port}"
    demo.say("Each makes a key of their own and learns the server's")
    keys = {}
    for name in USERS:
        key = f"/home/{name}/.ssh/id_ed25519"
        demo.type(name, "mkdir", "-m", "700", f"/home/{name}/.ssh")
        demo.type(name, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key)
        keys[name] = demo.type(name, "cat", f"{key}.pub")
        demo.type(name, "sh", "-c", f"echo {shlex.quote(known)} >$HOME/.ssh/known_hosts")

    demo.say("The administrator, from outside of all containers, lets two of them in")
    admin.meet(server)
    for name, role in zip(USERS, ("write", "write", "none"), strict=True):
        for words in (("user", "add", name, "--role", role), ("key", "add", name)):
            demo.out.write(f"admin$ msglog admin {shlex.join(words)} --remote origin\n")
            demo.out.write(admin.msglog("admin", *words, "--remote", "origin", given=keys[name]))

    demo.say("Two users write, push and pull")
    for name in ("user1", "user2"):
        demo.type(name, "msglog", "init")
        demo.type(name, "msglog", "remote", "add", "origin", url)
    demo.type("user1", "msglog", "add", "msg from user 1")
    demo.type("user1", "msglog", "push", "origin", shows=["1 pushed"])
    demo.type("user2", "msglog", "add", "msg from user 2")
    demo.type("user2", "msglog", "pull", "origin", shows=["1 pulled"])
    both = ["msg from user 1", "msg from user 2"]
    demo.type("user2", "msglog", "list", shows=both)
    demo.type("user2", "msglog", "push", "origin", shows=["1 pushed"])
    demo.type("user1", "msglog", "pull", "origin", shows=["1 pulled"])
    demo.type("user1", "msglog", "list", shows=both)
    roots = {demo.type(name, "msglog", "rev-parse", "main") for name in ("user1", "user2")}
    if len(roots) != 1:
        raise DemoError(f"the logs are not equal: {roots}")

    demo.say("A user whose key is known but who has no role")
    demo.type("user3", "msglog", "init")
    demo.type("user3", "msglog", "remote", "add", "origin", url)
    demo.type("user3", "msglog", "add", "msg from user 3")
    demo.type("user3", "msglog", "push", "origin", status=3, shows=["not authorised"])
    demo.type("user3", "msglog", "pull", "origin", status=3, shows=["not authorised"])


def main(out: TextIO, folder: Path) -> int:
    """Build, play and clean up; return the exit status."""
    demo = Demo({}, out)
    try:
        engine = find_engine()
        out.write(f"# Building the image with {engine.program}\n")
        out.flush()
        engine.build()
        admin = Client.make(folder / "admin")
        with (
            volumes(engine, "data", "keys") as (data, keys),
            running(
                engine,
                *("--volume", f"{data}:/data", "--volume", f"{keys}:/keys"),
                environment={"MSGLOG_ADMIN_KEY": admin.public_key},
            ) as server,
            terminals(engine) as demo.containers,
        ):
            server.wait_until_it_listens()
            out.write(f"# The server listens on 127.0.0.1 port {server.port}\n")
            play(demo, admin, server)
    except (DemoError, EngineError, AssertionError, subprocess.TimeoutExpired) as error:
        out.write(f"\ndemo: failed after {demo.played} commands: {error}\n")
        return 1
    out.write(f"\ndemo: all {demo.played} commands did what they should\n")
    return 0


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory(prefix="msglog-demo-") as name:
        sys.exit(main(sys.stdout, Path(name)))
