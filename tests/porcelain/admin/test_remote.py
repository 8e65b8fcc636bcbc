"""`admin ... --remote` against a server that lies: what it prints is shown, and nothing of it acts."""

import json
from collections.abc import Callable
from io import BytesIO
from typing import TypeAlias

import pytest

from msglog.wire.connection import Connection, Side
from msglog.wire.events import Administer, Concluded, Greeting, PeerError, Printed
from plumbing.session import Session
from porcelain.admin import remote
from porcelain.cli import main
from tests.msglog.account import keymaking as make
from tests.porcelain.admin.running import Home

Answering: TypeAlias = Callable[..., "LyingServer"]

ESCAPES = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202etxt\rx[bold]"


class LyingServer:
    """A server that answers a command with what it was told to say."""

    def __init__(self, *answers: Printed | Concluded | PeerError) -> None:
        self._connection = Connection(Side.SERVER)
        greeting = Greeting("m/1", bytes(16), "ann", "admin", 0)
        self._out = self._connection.send(greeting)
        self._answers = answers
        self.heard: list[object] = []

    def send(self, data: bytes) -> None:
        for event in self._connection.receive(data):
            self.heard.append(event)
            self._out += b"".join(map(self._connection.send, self._answers))

    def receive(self) -> bytes:
        out, self._out = self._out, b""
        return out

    def diagnosis(self) -> str:
        return ""

    def close(self) -> None:
        pass


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Answering:
    def answer(*answers: Printed | Concluded | PeerError) -> LyingServer:
        server = LyingServer(*answers)
        session = Session(lambda _: server)
        monkeypatch.setattr(remote, "open_session", lambda *_, **__: session)
        return server

    return answer


def test_only_the_command_and_the_keys_are_sent(home: Home, answering: Answering) -> None:
    server = answering(Concluded(0))
    name = home.public_key(1, comment="ann@laptop")
    words = ["--color", "never", "--remote=user@host", "key", "add", "ann", name, "-q"]
    assert home.admin(*words, "--", "--remote").status == 2  # one argument too many
    assert home.admin(*words).status == 0
    line = make.line(make.ed25519(1), "ann@laptop")
    assert server.heard == [Administer(("--quiet", "key", "add", "ann", name), (line,))]


def test_nothing_that_is_printed_acts(home: Home, answering: Answering) -> None:
    answering(Printed(ESCAPES), Printed(ESCAPES, noted=True), Concluded(7, ESCAPES))
    result = home.admin("user", "list", "--remote", "user@host")
    assert result.status == 7
    for text in (result.output, result.errors):
        assert not set("\x1b\x07\x9b\u202e\r") & set(text)
    assert result.errors.splitlines()[-1].startswith("msglog: error: ")


def test_json_is_json_and_safe(home: Home, answering: Answering) -> None:
    fields = {"user": "ann\u202e\x9b"}
    answering(Printed(json.dumps(fields, ensure_ascii=False)), Concluded(0))
    result = home.admin("user", "list", "--json", "--remote", "user@host")
    assert result.records == [fields]
    assert result.output.isascii() or not set("\u202e\x9b") & set(result.output)
    for line in ("ann", "[1]", "1", "[" * 100_000, ""):
        answering(Printed(line[:60_000]), Concluded(0))
        result = home.admin("user", "list", "--json", "--remote", "user@host")
        assert (result.status, result.output) == (4, "")


@pytest.mark.parametrize("status", [4, 8, 130, 141, 255, 999])
def test_a_status_that_no_command_has(home: Home, answering: Answering, status: int) -> None:
    answering(Concluded(status))
    result = home.admin("user", "list", "--remote", "user@host")
    assert result.status == 4
    assert "exit status" in result.errors


def test_who_may_not_is_told_so(home: Home, answering: Answering) -> None:
    answering(PeerError("not-authorised", "not authorised to administer this account"))
    result = home.admin("user", "list", "--remote", "user@host")
    assert (result.status, result.output) == (3, "")
    assert "not authorised" in result.errors


def test_a_command_that_is_too_long_is_not_sent(home: Home, answering: Answering) -> None:
    server = answering(Concluded(0))
    words = ["policy", "set", "ops/*", *["max-future=1"] * 300]
    assert home.admin(*words, "--remote", "user@host").status == 2
    assert home.admin("user", "add", "x" * 70_000, "--remote", "user@host").status == 2
    assert home.admin("user", "add", "\udcff", "--remote", "user@host").status == 2
    assert server.heard == []


@pytest.mark.parametrize("option", ["--json", "-q", "-v"])
def test_options_before_admin_count_on_both_sides(
    home: Home, answering: Answering, option: str
) -> None:
    long = {"-q": "--quiet", "-v": "--verbose"}.get(option, option)
    for words in ([option, "admin", "user", "list"], ["admin", "user", option, "list"]):
        server = answering(Concluded(0))
        streams = BytesIO(), BytesIO(), BytesIO()
        environment = {"HOME": str(home.path)}
        assert main([*words, "--remote", "user@host"], environment, *streams) == 0
        assert server.heard == [Administer((long, "user", "list"))]


def test_a_remote_that_is_not_set_up(home: Home) -> None:
    result = home.admin("user", "list", "--remote", "origin")
    assert result.status == 2
    assert "no remote 'origin'" in result.errors
