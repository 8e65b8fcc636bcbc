"""Inputs that the parsers accept, from which the fuzzing begins."""

import base64
import sqlite3
import struct
import tempfile
from pathlib import Path

import zstandard

from msglog.encoding import Value, encode
from msglog.index.node import EMPTY_ROOT, Inner, Leaf, encode_inner, encode_leaf, first_below
from msglog.key import Key, make_key
from msglog.objectid import ObjectId
from msglog.wire.abbreviated import abbreviate_inner, abbreviate_leaf
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    AdvertisedRef,
    Base,
    Batch,
    End,
    Event,
    Gone,
    Greeting,
    Push,
    Transfer,
)
from tests.msglog.wire.samples import OTHER, ROOT, SAMPLES, an_object, content_of

KEYS = [make_key(number * 1000, ObjectId(bytes([number] * 32))) for number in range(20)]


def streams() -> list[bytes]:
    return [encode_event(event) for event in SAMPLES]


def clients() -> list[bytes]:
    content = content_of(an_object(1))
    transfer: list[Event] = [
        Transfer("main", EMPTY_ROOT, OTHER),
        Batch(1, 1, OTHER, content),
        End(),
    ]
    said = encode_event(Push("main", (ROOT,))) + b"".join(map(encode_event, transfer))
    return [*streams(), said]


def servers() -> list[bytes]:
    greeting = encode_event(Greeting("msglog/1", bytes(16), "ann", "write"))
    listed = encode_event(AdvertisedRef("main", ROOT, 3)) + encode_event(End())
    told = encode_event(Gone("lab")) + listed
    answers = [b"", told, *streams(), listed, listed + encode_event(Base("main", ROOT))]
    return [
        bytes([asked]) + greeting + answer for answer in answers for asked in (0, 1, 2, 5, 8, 16)
    ]


def values() -> list[bytes]:
    tree: Value = {"a": [1, -1, True, 1.5], "b": {"c": b"x", "d": "\u00e9" * 30}, "e": 2**63 - 1}
    return [encode(tree), encode([]), encode(-(2**63)), encode("x" * 300), encode(-0.5)]


def objects() -> list[bytes]:
    foreign = encode(
        {"type": "poll", "uuid": bytes(16), "time": 5, "must": ["votes"], "options": ["a", "b"]}
    )
    return [an_object(1), an_object(2, "x" * 400), foreign]


def nodes() -> list[bytes]:
    children = ((0, ObjectId(bytes([1] * 32)), 700), (15, ObjectId(bytes([2] * 32)), 9))
    return [encode_leaf([]), encode_leaf(KEYS), encode_inner(3, b"\x80\x00", children)]


def abbreviated() -> list[bytes]:
    children = ((0, ObjectId(bytes([1] * 32)), 700), (15, ObjectId(bytes([2] * 32)), 9))
    inner = Inner(3, b"\x80\x00", children)
    return [
        abbreviate_leaf(Leaf(tuple(KEYS)), 16, 0),
        abbreviate_leaf(Leaf((first_below(b"\x80", 1), Key(b"\xff" * 40))), 32, 0),
        abbreviate_inner(inner, children, 16),
    ]


def request_lines() -> list[bytes]:
    return [
        b"msglog receive-pack",
        b"msglog receive-pack team/ops ls-refs=",
        f"msglog receive-pack fetch:main={ROOT.hex()},{OTHER.hex()} push:a/b=".encode(),
    ]


def batches() -> list[bytes]:
    return [
        len(some).to_bytes(2, "big") + content_of(*some)
        for some in ([an_object(1)], [an_object(n, "x" * n) for n in range(5)])
    ]


def frames() -> list[bytes]:
    return [
        len(content).to_bytes(3, "big") + zstandard.ZstdCompressor(level=3).compress(content)
        for content in (b"x", bytes(5000), content_of(*(an_object(n) for n in range(50))))
    ]


def public_keys() -> list[bytes]:
    kind = b"ssh-ed25519"
    blob = struct.pack(">I", len(kind)) + kind + struct.pack(">I", 32) + bytes(range(32))
    line = kind + b" " + base64.b64encode(blob)
    return [line, line + b" ann@laptop\n", b"# keys\r\n" + line + b"\r\n\n"]


def certificates() -> list[bytes]:
    def string(data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + data

    begun = b"".join(map(string, [b"ssh-ed25519-cert-v01@openssh.com", b"nonce", bytes(32)]))
    numbers = struct.pack(">QI", 7, 1)
    return [begun + numbers + string(b"ann@laptop") + string(string(b"ann") + string(b"bob"))]


def authorized_keys() -> list[bytes]:
    (line, *_) = public_keys()
    return [
        line + b"\n",
        b'restrict,command="msglog receive-pack ann --key \\"x\\"" ' + line + b" c d\n",
        b'no-pty,from="10.0.0.0/8,!x",environment="A=b",expiry-time="20300101" ' + line + b"\n",
        b'cert-authority,principals="a,b" ' + line + b"\r\n# BEGIN\n\nssh-rsa AAAA\n",
    ]


def configs() -> list[bytes]:
    return [
        b'[user]\nauthor = "ann"\n[remote."my.host"]\nurl = "server@host:team/ops"\n',
        b'ssh = {command = "ssh -v", transport = "openssh"}\ntool.x.y = [1, 2.5, 2020-01-01]\n',
    ]


def settings() -> list[bytes]:
    return [b"user.author=ann", b"tool.a.b=12", b"tool.a.b=1.5", b"remote.my.host.url=x@y:z"]


def json_lines() -> list[bytes]:
    return [
        b'{"body": "hello"}\n{"body": "x", "time": "2026-01-01T00:00:00+01:00", "tags": ["a"]}\n',
        b'{"uuid": "00000000000000000000000000000001", "author": "ann", "body": "b", "offset": 60}\n',
        b'{"body": "b", "meta": {"a": 1, "b": [1.5, null, true]}}\n',
    ]


def syslog() -> list[bytes]:
    return [
        (
            b'<34>1 2003-10-11T22:14:15.003Z host su 7 ID47 [a@1 k="v\\""][b] \xef\xbb\xbfsaid\n'
            b"<165>1 2003-08-24T05:14:15.000003-07:00 192.0.2.1 - - - - x\n"
        ),
        (
            b"<13>Dec 31 23:59:59 gate sshd[7]: no\nJan  1 00:00:00.25 gate su: x\n"
            b"2026-02-05T17:32:18.5+01:00 gate kernel: [ 1.2] x\n"
        ),
    ]


def journal() -> list[bytes]:
    return [
        (
            b'{"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": "17", "MESSAGE": "x", "PRIORITY": "6",'
            b' "_PID": "7", "_COMM": "su"}\n'
        ),
        (
            b'{"__CURSOR": "s=2", "__REALTIME_TIMESTAMP": "18", "MESSAGE": [104, 255],'
            b' "SYSLOG_FACILITY": ["4", "5"], "SYSLOG_IDENTIFIER": "a", "_HOSTNAME": "gate"}\n'
        ),
        (
            b"__CURSOR=s=3\n__REALTIME_TIMESTAMP=19\nMESSAGE\n\3\0\0\0\0\0\0\0a\n\xff\nPRIORITY=6\n"
            b"_COREDUMP\n\2\0\0\0\0\0\0\0\n\n\n_HOSTNAME=gate\n\n"
        ),
    ]


def commits() -> list[bytes]:
    return [
        (
            b"tree 1\nparent 2\nauthor A <a@x> 1600000000 +0200\ncommitter C <c@x> 1 +0000\n"
            b"encoding ISO-8859-1\ngpgsig x\n y\n\nsubject\n\nb\xe9dy\n"
        ),
        b"author A <a> -5 -0330\nencoding shift_jis\n\n\x93\xfa",
    ]


def databases() -> list[bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "poc.db"
        connection = sqlite3.connect(path)
        connection.execute("PRAGMA page_size = 512")
        connection.execute("CREATE TABLE db_msg (id INTEGER PRIMARY KEY, uuid, message, time)")
        rows = [(f"{n:032x}", f"message {n}", f"2020-01-0{n} 12:00:00.5") for n in range(1, 9)]
        connection.executemany("INSERT INTO db_msg (uuid, message, time) VALUES (?, ?, ?)", rows)
        connection.commit()
        connection.close()
        return [path.read_bytes()]
