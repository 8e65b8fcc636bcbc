"""The parsers that read what strangers wrote, each as a function of bytes that must always return.

A harness returns whatever the input is: what msglog refuses, it refuses by an error of its own. All
other exceptions are findings. What is accepted must come back the same from its one form.
"""

import base64
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from io import BytesIO
from pathlib import Path

from msglog.account.authorized_keys import Entry, parse_authorized_keys
from msglog.account.certificate import parse_certificate
from msglog.account.publickey import parse_public_key, parse_public_keys
from msglog.config import load
from msglog.config_change import check_setting
from msglog.encoding import decode, encode
from msglog.errors import MsglogError
from msglog.index.node import Leaf, decode_node, encode_inner, encode_leaf
from msglog.message import Foreign, Message, decode_object, object_key
from msglog.message_scan import scan
from msglog.objectid import ObjectId
from msglog.wire.abbreviated import decode_abbreviated
from msglog.wire.batch import check_head, expand, pack_item, unpack
from msglog.wire.connection import Connection, Side, State
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    Base,
    Done,
    End,
    Event,
    Fetch,
    GetNodes,
    Greeting,
    ListRefs,
    PeerError,
    Push,
    Refused,
    Transfer,
    Watch,
)
from msglog.wire.pktline import Mark, PacketReader, encode_packet
from msglog.wire.reader import EventReader
from msglog.wire.request_line import format_requests, parse_request_line, parse_requests
from porcelain.git_history import commit_message
from porcelain.import_source import Reading, Row, good_row
from porcelain.journal import journal_rows
from porcelain.json_lines import json_rows
from porcelain.poc_database import PocDatabase
from porcelain.syslog import Setting, syslog_rows
from tests.fuzz import seeds

MARKS = {Mark.FLUSH: b"0000", Mark.DELIMITER: b"0001"}
ROOT = ObjectId(bytes(32))


@dataclass(frozen=True, slots=True)
class Harness:
    """A parser to be tried; seeds: inputs that it accepts, to begin with."""

    run: Callable[[bytes], None]
    seeds: list[bytes]


def packets(data: bytes) -> None:
    """Cut a stream into packets, and put it together again."""
    reader = PacketReader()
    again = b""
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        for packet in reader.receive(piece):
            again += MARKS[packet] if isinstance(packet, Mark) else encode_packet(packet)
    assert data.startswith(again)
    assert again + reader.pending == data


def events(data: bytes) -> None:
    """Read events; each must come back from its one form, texts for people on one line."""
    for event in EventReader().receive(data):
        form = encode_event(event)
        (again,) = EventReader().receive(form)
        assert again == event or isinstance(event, PeerError | Refused)
        assert encode_event(again) == form


def server(data: bytes) -> None:
    """Be a server that answers whatever it is asked for in the shortest way."""
    connection = Connection(Side.SERVER)
    connection.send(Greeting("msglog/1", bytes(16), "ann", "write"))
    for event in connection.receive(data):
        for answer in _answers(connection, event):
            connection.send(answer)
    connection.finish()


def _answers(connection: Connection, event: Event) -> list[Event]:
    match event, connection.state:
        case ListRefs() | GetNodes() | Watch(), _:
            return [End()]
        case Fetch(), State.FETCHING:
            return [Transfer(event.log, ROOT, ROOT, 0, event.view), End()]
        case Push(), State.CHOOSING:
            return [Base(event.log, None)]
        case End(), State.CONCLUDING:
            return [Done("main")]
    return []


def client(data: bytes) -> None:
    """Be a client that has asked for something; the first byte says for what."""
    connection = Connection(Side.CLIENT)
    nodes = GetNodes("main", ROOT, 16, (((0, b""), b""),))
    requests: list[Event] = [ListRefs(), Fetch("main"), Push("main")]
    for position, request in enumerate(requests):
        if data[:1] and data[0] & 1 << position:
            connection.presume(request)
    for event in connection.receive(data[1:]):
        if isinstance(event, Greeting) and connection.state is State.READY and data[0] & 24:
            connection.send(nodes if data[0] & 8 else Watch(("lab", "lab/*")))
    connection.finish()


def encoding(data: bytes) -> None:
    """Decode a value, which must have one form only."""
    assert encode(decode(data)) == data


def message(data: bytes) -> None:
    """Decode an object of a log, and read it the short way, which must say the same or nothing."""
    plain = scan(data)
    try:
        made = decode_object(data)
    except MsglogError:
        assert plain is None
        raise
    if plain is not None:
        assert isinstance(made, Message)
        uuid, time, offset, author, body, tags, reply_to = plain
        assert made == Message(uuid, time, offset, author, body, tags, {}, reply_to)
    object_key(data)
    assert encode(dict(made.fields)) == data if isinstance(made, Foreign) else made.encode() == data


def node(data: bytes) -> None:
    """Decode a node of an index."""
    made = decode_node(data)
    if isinstance(made, Leaf):
        assert encode_leaf(made.keys) == data
    else:
        assert encode_inner(made.depth, made.prefix, made.children) == data
    assert made.count >= 0


def abbreviated(data: bytes) -> None:
    """Decode a node of a descent."""
    decode_abbreviated(data)


def request_line(data: bytes) -> None:
    """Read SSH_ORIGINAL_COMMAND."""
    path, requests = parse_request_line(data.decode("utf-8", "surrogateescape"))
    words = format_requests(requests)  # as many as fit
    requests = requests[: len(words)]
    assert parse_requests(words) == requests
    line = " ".join(["msglog receive-pack", *([path] if path else []), *words])
    assert parse_request_line(line) == (path, requests)


def batch(data: bytes) -> None:
    """Unpack a batch; two bytes say how many messages it has."""
    content = data[2:]
    messages = unpack(content, int.from_bytes(data[:2], "big"))
    assert b"".join(pack_item(key, item) for key, item in messages.items()) == content


def compressed(data: bytes) -> None:
    """Expand a batch; three bytes say its size."""
    size = int.from_bytes(data[:3], "big")
    check_head(1, size)
    assert len(expand("zstd", data[3:], size)) == size


def authorized_keys(data: bytes) -> None:
    """Read a file as sshd would; every line is understood or said not to be."""
    for entry in parse_authorized_keys(data):
        assert entry.number >= 1
        if isinstance(entry, Entry):
            assert entry.fingerprint.startswith("SHA256:")


def public_keys(data: bytes) -> None:
    """Read a .pub file; what is taken is one line that means the same."""
    for key in parse_public_keys(data):
        assert parse_public_key(key.line) == key
        assert key.line.isprintable()


def certificate(data: bytes) -> None:
    """Read a certificate that sshd asks about."""
    parse_certificate(base64.b64encode(data).decode())


def config(data: bytes) -> None:
    """Read a configuration, and take its values for settings."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "config.toml"
        path.write_bytes(data)
        found = load([(path, True)])
        found.remotes()
        for key in ("user.author", "ssh.command", "ssh.transport"):
            found.text(key)


def setting(data: bytes) -> None:
    """Take a text for the value of a key, both chosen by the input."""
    key, _, value = data.decode("utf-8", "replace").partition("=")
    check_setting(key, value, trusted=True)


def imported_json(data: bytes) -> None:
    """Import JSON Lines."""
    file = BytesIO(data)
    for row in json_rows(file, file.readline(), Reading()):
        _take(row)


def imported_syslog(data: bytes) -> None:
    """Import lines of syslog, whose year nothing says."""
    file = BytesIO(data)
    setting = Setting("ann", UTC, written=1 << 50)
    for row in syslog_rows(file, file.readline(), Reading(), setting, lambda: BytesIO(data)):
        _take(row)


def imported_journal(data: bytes) -> None:
    """Import entries of systemd's journal."""
    file = BytesIO(data)
    for row in journal_rows(file, file.readline(), Reading(), author="ann"):
        _take(row)


def imported_commit(data: bytes) -> None:
    """Import a commit of git."""
    try:
        found = commit_message(b"0" * 40, data)
    except ValueError:
        return
    _take(good_row(1, found))


def imported_database(data: bytes) -> None:
    """Import a SQLite file of the proof of concept."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poc.db"
        path.write_bytes(data)
        database = PocDatabase(path, "poc.db", author="ann", zone=UTC)
        try:
            for row in database.rows():
                _take(row)
        finally:
            database.close()


def _take(row: Row) -> None:
    if row.key is not None:
        assert object_key(row.data) == row.key


HARNESSES = {
    "packets": Harness(packets, seeds.streams()),
    "events": Harness(events, seeds.streams()),
    "server": Harness(server, seeds.clients()),
    "client": Harness(client, seeds.servers()),
    "encoding": Harness(encoding, seeds.values()),
    "message": Harness(message, seeds.objects()),
    "node": Harness(node, seeds.nodes()),
    "abbreviated": Harness(abbreviated, seeds.abbreviated()),
    "request-line": Harness(request_line, seeds.request_lines()),
    "batch": Harness(batch, seeds.batches()),
    "compressed": Harness(compressed, seeds.frames()),
    "authorized-keys": Harness(authorized_keys, seeds.authorized_keys()),
    "public-keys": Harness(public_keys, seeds.public_keys()),
    "certificate": Harness(certificate, seeds.certificates()),
    "config": Harness(config, seeds.configs()),
    "setting": Harness(setting, seeds.settings()),
    "imported-json": Harness(imported_json, seeds.json_lines()),
    "imported-syslog": Harness(imported_syslog, seeds.syslog()),
    "imported-journal": Harness(imported_journal, seeds.journal()),
    "imported-commit": Harness(imported_commit, seeds.commits()),
    "imported-database": Harness(imported_database, seeds.databases()),
}


def attempt(name: str, data: bytes) -> None:
    """Give an input to a harness; whatever this raises is a finding."""
    try:
        HARNESSES[name].run(data)
    except MsglogError as error:
        _check(error)


def _check(error: MsglogError) -> None:
    assert "\n" not in str(error), "an error of several lines"
    assert error.exit_status != MsglogError.exit_status, "an error of nobody's fault"
