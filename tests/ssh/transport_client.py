"""Users of the two transports over SSH."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from msglog.dataclass import replace
from msglog.errors import RemoteError
from plumbing.transport.channel import Channel
from plumbing.transport.selection import connect
from plumbing.transport.settings import Settings
from plumbing.transport.url import parse_url
from tests.ssh.sshd import Sshd, User

COMMAND = "msglog receive-pack"
NOWHERE = Path("/nonexistent")
user_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Client:
    """One user of one of the two transports."""

    sshd: Sshd
    user: User
    transport: str
    settings: Settings
    at_end: contextlib.ExitStack

    def open(self, url: str = "server", *, command: str = COMMAND, **changes: Any) -> Channel:
        settings = replace(self.settings, **changes)
        channel = connect(parse_url(url), command=lambda: command, settings=settings)
        self.at_end.callback(channel.close)
        return channel

    def fail(self, url: str = "server", **changes: Any) -> RemoteError:
        """Connect and receive, which must fail in one line with exit status 4."""

        def attempt() -> None:
            with contextlib.closing(self.open(url, **changes)) as channel:
                channel.receive()

        with pytest.raises(RemoteError) as caught:
            attempt()
        assert caught.value.exit_status == 4
        assert "\n" not in str(caught.value)
        return caught.value

    def write_config(self, text: str, *, indent: str = "    ") -> None:
        """Put lines before what the alias `server` has: the first value counts."""
        old = self.user.config.read_text()
        head, _, rest = old.partition("\n")
        lines = "".join(f"{indent}{line}\n" for line in text.splitlines())
        self.user.config.write_text(f"{head}\n{lines}{rest}")


MakeClient = Callable[..., Client]
