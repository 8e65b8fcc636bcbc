"""docs/protocol.md cannot drift: its examples, sessions, tables and numbers are checked."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from msglog.account.role import Role
from msglog.errors import MsglogError, NotAuthorisedError
from msglog.index.node import NODE_BYTES_LIMIT
from msglog.key import first_key_at
from msglog.message import OBJECT_BYTES_LIMIT
from msglog.wire import abbreviated, batch, connection, events, pktline, reader, request_line
from msglog.wire.connection import TRANSITIONS, Connection, Side
from msglog.wire.encoder import encode_event
from msglog.wire.events import PeerError
from msglog.wire.reader import EventReader
from msglog.wire.request_line import format_requests, parse_request_line
from plumbing import service, session
from plumbing.fetching import Fetcher
from plumbing.tracking import Tracking
from plumbing.transport.channel import Channel
from tests.plumbing.peers import START, Client, Server, add, message

TEXT = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text()
PLAIN = " ".join(TEXT.split())
BLOCKS = re.findall(r"^```(\w+)(?: (.+))?\n((?:[^`].*\n)+)```$", TEXT, re.MULTILINE)
WIDTH = 100


def blocks(kind: str) -> dict[str, str]:
    return {name: content for word, name, content in BLOCKS if word == kind}


def spoken(block: str) -> list[tuple[str, bytes]]:
    """The speakers and what they say; lines of one speaker that follow each other are one."""
    turns: list[tuple[str, bytes]] = []
    for line in block.splitlines():
        speaker, text = line[0], line[3:]
        assert line[1:3] == ": ", line
        said = re.sub(
            rb"\\x([0-9a-f]{2})", lambda found: bytes.fromhex(found[1].decode()), text.encode()
        )
        if turns and turns[-1][0] == speaker:
            turns[-1] = (speaker, turns[-1][1] + said)
        else:
            turns.append((speaker, said))
    return turns


def written(turns: Sequence[tuple[str, bytes]]) -> str:
    """Turns as they stand in the document: a line a packet, wrapped."""
    lines = []
    for speaker, data in turns:
        if speaker == "$":
            lines.append(f"$: {data.decode()}")
            continue
        position = 0
        while position < len(data):
            size = max(int(data[position : position + 4], 16), 4)
            line = ""
            for byte in data[position : position + size]:
                shown = chr(byte) if 0x20 <= byte <= 0x7E and byte != 0x5C else f"\\x{byte:02x}"
                if len(line) + len(shown) > WIDTH:
                    lines.append(f"{speaker}: {line}")
                    line = ""
                line += shown
            lines.append(f"{speaker}: {line}")
            position += size
    return "".join(f"{line}\n" for line in lines)


class Recording:
    """A channel that writes down what is said."""

    def __init__(self, inner: Channel, turns: list[tuple[str, bytes]]) -> None:
        self._inner = inner
        self._turns = turns

    def send(self, data: bytes) -> None:
        self._turns.append(("C", data))
        self._inner.send(data)

    def receive(self) -> bytes:
        data = self._inner.receive()
        self._turns.append(("S", data))
        return data

    def close(self) -> None:
        self._inner.close()

    def diagnosis(self) -> str:
        return ""


HELLO = message(1, body="hello")
WORLD = message(2, body="world")


def record(act: Callable[[Client], object], role: Role, *, theirs: bytes, mine: bytes) -> str:
    """A session between real sides, after they have agreed on HELLO, when each has got one more."""
    server = Server()
    client = Client(1, server)
    client.add(HELLO)
    client.push()
    client.rights.given = role
    add(server.repository, *([theirs] if theirs else []))
    client.add(*([mine] if mine else []))
    turns: list[tuple[str, bytes]] = []

    def wrap(channel: Channel) -> Channel:
        line = " ".join(["msglog receive-pack", *server.words[-1]])
        turns.append(("$", line.encode()))
        return Recording(channel, turns)

    server.wrap = wrap
    act(client)
    return written(turns)


def refused_push(client: Client) -> None:
    with pytest.raises(NotAuthorisedError):
        client.push()


def fresh_pull(client: Client) -> None:
    """Pull as somebody who agreed on nothing yet, but has HELLO and a message of their own."""
    stranger = Client(2, client.server)
    stranger.add(HELLO, message(3, body="mine"))
    stranger.pull()


def pull_since(client: Client) -> None:
    """Pull what is as new as WORLD."""
    whole = client.tracking()
    view = first_key_at(START + 2000)
    tracking = Tracking(whole.repository, whole.remote, "main", clock=whole.clock, view=view)
    Fetcher(client.session(), tracking, pull=True).run()


SESSIONS: dict[str, Callable[[], str]] = {
    "a pull that brings nothing": lambda: record(Client.pull, Role.WRITE, theirs=b"", mine=b""),
    "a push of one message": lambda: record(Client.push, Role.WRITE, theirs=b"", mine=WORLD),
    "a pull of one message": lambda: record(Client.pull, Role.WRITE, theirs=WORLD, mine=b""),
    "a push that is not allowed": lambda: record(refused_push, Role.READ, theirs=b"", mine=WORLD),
    "a pull since a time": lambda: record(pull_since, Role.READ, theirs=WORLD, mine=b""),
    "a descent": lambda: record(fresh_pull, Role.WRITE, theirs=WORLD, mine=b""),
}


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_is_what_real_sides_say(name: str) -> None:
    assert blocks("session")[name] == SESSIONS[name]()


@pytest.mark.parametrize("name", blocks("session"))
def test_a_session_is_followed_by_the_state_machines(name: str) -> None:
    assert name in SESSIONS
    turns = spoken(blocks("session")[name])
    client, server = Connection(Side.CLIENT), Connection(Side.SERVER)
    speaker, line = turns.pop(0)
    assert speaker == "$"
    _, requests = parse_request_line(line.decode())
    assert " ".join(["msglog receive-pack", *format_requests(requests)]) == line.decode()
    for request in requests:
        client.presume(request)
        server.inject(request)
    for speaker, data in turns:
        hearer, sayer = (server, client) if speaker == "C" else (client, server)
        heard = list(hearer.receive(data))
        assert b"".join(sayer.send(event) for event in heard) == data
        assert client.state is server.state
    client.finish()
    server.finish()


@pytest.mark.parametrize("name", blocks("example"))
def test_an_example_is_in_the_one_form_of_the_codec(name: str) -> None:
    for _, data in spoken(blocks("example")[name]):
        found = list(EventReader().receive(data))
        assert found
        assert b"".join(map(encode_event, found)) == data


@pytest.mark.parametrize("name", blocks("refused"))
def test_what_is_to_be_refused_is_refused(name: str) -> None:
    for _, data in spoken(blocks("refused")[name]):
        with pytest.raises(MsglogError) as caught:
            list(EventReader().receive(data))
        assert caught.value.exit_status in (4, 5)


def test_every_fenced_block_is_checked_here() -> None:
    assert TEXT.count("```") == 2 * len(BLOCKS)
    assert {kind for kind, _, _ in BLOCKS} == {"session", "example", "refused", "abnf"}
    assert set(blocks("session")) == set(SESSIONS)


def test_the_state_table_is_the_one_that_runs() -> None:
    rows = set(
        re.findall(
            r"^\| ([A-Z]+) \| (client|server) \| `(\w+)` \| ([A-Z]+) \|$", TEXT, re.MULTILINE
        )
    )
    assert rows == {
        (state.name, speaker.name.lower(), kind.__name__, following.name)
        for state, moves in TRANSITIONS.items()
        for (speaker, kind), following in moves.items()
    }


def test_the_error_codes_are_those_of_both_sides() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| .+ \| (\d) \|$", TEXT, re.MULTILINE)
    folder = Path(service.__file__).parent
    source = "".join([(folder / name).read_text() for name in ("complaint.py", "receive_pack.py")])
    assert {code for code, _ in rows} == set(re.findall(r'PeerError\(\s*"([a-z-]+)"', source))
    for code, status in rows:
        assert session._remote_error(PeerError(code, "x")).exit_status == int(status)


@pytest.mark.parametrize(
    "sentence",
    [
        f"`msglog {events.PROTOCOL_VERSION}`",
        f"| a packet, with its header | {pktline.PACKET_BYTES_LIMIT} bytes |",
        f"| the packets of a request or an answer | {reader.GROUP_BYTES_LIMIT} bytes, {reader.ARGUMENTS_LIMIT} packets |",
        f"| a text in an error or a refusal | {events.TEXT_BYTES_LIMIT} bytes |",
        f"| the command line | {request_line.LINE_BYTES_LIMIT} bytes, {request_line.WORDS_BYTES_LIMIT} of them words |",
        f"| roots offered in one request | {events.HAVE_LIMIT} |",
        f"| paths in one request | {events.PATH_LIMIT} |",
        f"| requests that wait for an answer | {connection.AHEAD_LIMIT} |",
        f"| keep-alives in a row | {connection.KEEP_ALIVE_LIMIT} |",
        f"| logs in a list | {connection.REF_LIMIT} |",
        f"| patterns of logs to watch | {events.PATTERNS_LIMIT} |",
        f"| nodes that answer for one path | {connection.NODES_A_PATH_LIMIT} |",
        f"| a client's batches without an acknowledgement | {connection.UNACKNOWLEDGED_LIMIT} |",
        f"| words, and lines, of a command of an administrator | {events.WORDS_LIMIT}, {events.LINES_LIMIT} |",
        f"| lines that it prints | {connection.LINE_LIMIT} |",
        f"| one node | {NODE_BYTES_LIMIT - 1} bytes |",
        f"| refusals before an acknowledgement | {events.BATCH_MESSAGES_LIMIT} |",
        f"| messages in a batch | {events.BATCH_MESSAGES_LIMIT} |",
        f"| bytes of a batch of several messages | {events.BATCH_BYTES_LIMIT} |",
        f"| bytes of a batch of one message | {batch.HEAD_BYTES + OBJECT_BYTES_LIMIT} |",
        f"| bytes of a batch in the stream, beyond those | {batch.stored_limit(0)} |",
        f"| the window of a zstd frame | {1 << batch.WINDOW_LOG + 3} bytes |",
        f"| batches a server remembers as sent | {service.REMEMBERED_BATCHES_LIMIT} |",
        f"| nodes a server makes for one session | {service.MADE_NODES_LIMIT} |",
        f"| what a server reads after it failed | {service.DRAIN_BYTES_LIMIT} bytes |",
        f"first {abbreviated.KNOWN_BYTES} bytes of the digest",
    ],
)
def test_numbers_are_those_of_the_code(sentence: str) -> None:
    assert sentence in PLAIN
