"""Events and packets: one form each way, limits on everything, and no error but msglog's own."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from msglog.errors import MsglogError
from msglog.wire.batch import BatchError
from msglog.wire.encoder import encode_event
from msglog.wire.events import (
    BATCH_BYTES_LIMIT,
    BATCH_MESSAGES_LIMIT,
    HAVE_LIMIT,
    PATH_LIMIT,
    PATTERNS_LIMIT,
    TEXT_BYTES_LIMIT,
    Event,
    Fetch,
    GetNodes,
    Greeting,
    KeepAlive,
    ListRefs,
    PeerError,
    Refused,
)
from msglog.wire.grammar import ProtocolError, parse_path
from msglog.wire.pktline import PAYLOAD_BYTES_LIMIT, FramingError, encode_packet
from msglog.wire.reader import ARGUMENTS_LIMIT, GROUP_BYTES_LIMIT, EventReader, VersionError
from tests.msglog.wire.samples import KEY, ROOT, SAMPLES, events

HEX = ROOT.hex()


def read(*parts: bytes) -> list[Event]:
    reader = EventReader()
    return [event for part in parts for event in reader.receive(part)]


def packets(*texts: str | bytes) -> bytes:
    """Texts as packets; 0000 and 0001 as they are."""
    return b"".join(
        text.encode()
        if isinstance(text, str) and text in ("0000", "0001")
        else encode_packet(text if isinstance(text, bytes) else text.encode())
        for text in texts
    )


def check_reading(data: bytes) -> None:
    """Read data, or be told in one line of msglog's own whose fault it is that one cannot."""
    refusal = None
    try:
        read(data)
    except MsglogError as error:
        refusal = error
    if refusal is not None:
        assert refusal.exit_status in (4, 5)
        assert len(str(refusal)) < 1000


def test_there_is_a_sample_of_every_event() -> None:
    assert {type(event) for event in SAMPLES} == set(Event.__args__)


@pytest.mark.parametrize("event", SAMPLES, ids=lambda event: type(event).__name__)
def test_an_event_comes_back_whole_and_byte_by_byte(event: Event) -> None:
    data = encode_event(event)
    assert read(data) == [event]
    assert read(*[data[at : at + 1] for at in range(len(data))]) == [event]
    for at in range(1, len(data)):
        reader = EventReader()
        assert list(reader.receive(data[:at])) == []
        assert reader.pending
        assert [*reader.receive(data[at:] + b"00")] == [event]
        assert reader.pending


@given(st.lists(events, max_size=4))
def test_any_events_survive(sent: list[Event]) -> None:
    data = b"".join(map(encode_event, sent))
    found = read(data)
    assert found == sent
    assert b"".join(map(encode_event, found)) == data


@settings(max_examples=300)
@given(st.lists(events, min_size=1, max_size=3), st.data())
def test_a_mutated_stream_is_refused_in_our_own_words_or_read(
    sent: list[Event], data: st.DataObject
) -> None:
    stream = bytearray(b"".join(map(encode_event, sent)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(stream)))
        what = data.draw(st.sampled_from(["set", "cut", "insert", "repeat"]))
        if what == "set" and at < len(stream):
            stream[at] = data.draw(st.integers(0, 255))
        elif what == "cut":
            del stream[at : at + data.draw(st.integers(1, 9))]
        elif what == "insert":
            stream[at:at] = data.draw(st.binary(min_size=1, max_size=9))
        else:
            stream[at:at] = stream[: data.draw(st.integers(0, 200))]
    check_reading(bytes(stream))


@given(
    st.lists(
        st.binary(min_size=1, max_size=60)
        | st.sampled_from(
            ["fetch", "push", "base", "transfer", "get-nodes", "done", "ls-refs"]
        ).map(str.encode)
        | st.sampled_from([b"log=main", b"have=" + HEX.encode(), b"count=1", b"msglog 1", b""]),
        max_size=12,
    ),
    st.sampled_from([b"0000", b"0001"]),
)
def test_packets_of_noise_are_refused_in_our_own_words_or_read(
    payloads: list[bytes], end: bytes
) -> None:
    check_reading(
        b"".join(encode_packet(payload) if payload else end for payload in payloads) + end
    )


@pytest.mark.parametrize(
    "stream",
    [
        packets("fetch", "0000"),
        packets("fetch", "log=main", "log=main", "0000"),
        packets("fetch", "log=Main", "0000"),
        packets("fetch", "log=a..b", "0000"),
        packets("fetch", "log=", "0000"),
        packets("fetch", "log", "0000"),
        packets("fetch", "log=main", "new=1", "0000"),
        packets("fetch", "log=main", "have=" + HEX[1:], "0000"),
        packets("fetch", "log=main", "have=" + HEX.upper(), "0000"),
        packets("fetch", "log=main", *["have=" + HEX] * (HAVE_LIMIT + 1), "0000"),
        packets("fetch", "log=main", "view=" + "0" * 79, "0000"),
        packets("fetch", "log=main", f"root={HEX}", "0000"),
        packets("fetch", "log=main", "want=", "0000"),
        packets("fetch", "log=main", f"root={HEX}", f"have={HEX}", "want=", "0000"),
        packets("fetch", "log=main", f"root={HEX}", "want=" + "0" * 81, "0000"),
        packets("fetch", "log=main", f"root={HEX}", "want=xy", "0000"),
        packets("fetch", "log=main", "0001"),
        packets("fetch ", "log=main", "0000"),
        packets("fetch x", "log=main", "0000"),
        packets("push", "log=main", "without=", "0000"),
        packets("push", "log=main", f"root={HEX}", f"have={HEX}", "0000"),
        packets("push", "log=main", "want=", "0000"),
        packets("ls-refs ", "0000"),
        packets("ls-refs", "log=main", "0000"),
        packets("base", "log=main", "0000"),
        packets("base", "log=main", f"base={HEX}", "count=01", "0000"),
        packets("base", "log=main", f"base={HEX}", "count=-1", "0000"),
        packets("base", "log=main", f"base={HEX}", "count=1_0", "0000"),
        packets("base", "log=main", f"base={HEX}", "count=\u0661", "0000"),
        packets("base", "log=main", f"base={HEX}", "count=" + "9" * 19, "0000"),
        packets("no-base", "log=main", f"base={HEX}", "0000"),
        packets("transfer", "log=main", f"base={HEX}", f"root={HEX}", "0000"),
        packets("transfer", "log=main", f"base={HEX}", "0001"),
        packets("done", "log=main", "0001"),
        packets("get-nodes", "log=main", f"root={HEX}", "width=16", "0000"),
        packets("get-nodes", "log=main", f"root={HEX}", "width=8", "node=:", "0000"),
        packets("get-nodes", "log=main", f"root={HEX}", "width=16", "node=:00", "0000"),
        packets("get-nodes", "log=main", "width=16", "node=:", "0000"),
        packets("msglog 1", "0000"),
        packets("msglog 1", "agent=x", "object-format=sha1", "0000"),
        packets("0001"),
        packets("hello"),
        packets("keep-alive "),
        packets("keep-alive 1"),
        packets(b"\xff\xfe"),
        packets(b"\x00"),
        packets("fetch", b"\x01data"),
        packets("fetch", b"\xc3"),
        packets("ref"),
        packets("ref main"),
        packets(f"ref {HEX} 1 main"),
        packets(f"ref {HEX} 1 refs/logs/../x"),
        packets(f"ref {HEX} x refs/logs/main"),
        packets("error"),
        packets("error busy"),
        packets("error Busy text"),
        packets("error busy " + "x" * (TEXT_BYTES_LIMIT + 1)),
        packets("watch", "log=main", "0000"),
        packets("watch", "pattern=", "0000"),
        packets("watch", "pattern=Main", "0000"),
        packets("watch", "pattern=main/", "0000"),
        packets("watch", "pattern=*..*", "0000"),
        packets("watch", *["pattern=main"] * (PATTERNS_LIMIT + 1), "0000"),
        packets("watch", "pattern=main", "0001"),
        packets("gone"),
        packets("gone main"),
        packets("gone refs/logs/x*"),
        packets(f"refused {KEY.hex()} quota"),
        packets(f"refused {KEY.hex()[1:]} quota why"),
        packets(f"refused {KEY.hex()} quota " + "x" * (TEXT_BYTES_LIMIT + 1)),
        packets("ack"),
        packets("ack 1 "),
        packets("transfer", "log=main", "base=", f"root={HEX}", "0001"),
        packets(f"ack 1 {HEX} x"),
        packets(f"ack  1 {HEX}"),
        packets("batch 1 1 50"),
        packets("batch 1 1 50 none ", b"\x01" + bytes(50), "0001"),
        packets(f"batch 1 1 50 none {HEX}", "text"),
        packets(f"batch 1 1 50 none {HEX}", "0000"),
        packets(f"batch x 1 50 none {HEX}", b"\x01" + bytes(50), "0001"),
        packets(f"batch 1 1 50 none {HEX[1:]}", b"\x01" + bytes(50), "0001"),
    ],
)
def test_what_is_not_the_grammar_is_refused(stream: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        read(stream)
    assert caught.value.exit_status == 4
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "stream",
    [
        packets(f"batch 1 0 50 none {HEX}"),
        packets(f"batch 1 {BATCH_MESSAGES_LIMIT + 1} 500 none {HEX}"),
        packets(f"batch 1 2 {BATCH_BYTES_LIMIT + 1} none {HEX}"),
        packets(f"batch 1 1 {18 << 20} none {HEX}"),
        packets(f"batch 1 1 45 none {HEX}"),
        packets(f"batch 1 1 50 none {HEX}", b"\x01" + bytes(49), "0001"),
        packets(f"batch 1 1 50 none {HEX}", b"\x01" + bytes(51), "0001"),
        packets(f"batch 1 1 50 gzip {HEX}", b"\x01" + bytes(50), "0001"),
        packets(f"batch 1 1 50 zstd {HEX}", b"\x01" + bytes(50), "0001"),
    ],
)
def test_a_batch_that_lies_about_its_size_is_refused(stream: bytes) -> None:
    with pytest.raises(BatchError) as caught:
        read(stream)
    assert caught.value.exit_status == 5


def test_a_batch_is_refused_at_the_first_byte_too_many() -> None:
    reader = EventReader()
    list(reader.receive(packets(f"batch 1 1 50 none {HEX}")))
    with pytest.raises(ProtocolError, match="longer than it said"):
        list(reader.receive(encode_packet(b"\x01" + bytes(50 + 1025))))


@pytest.mark.parametrize("version", ["0", "2", "3", "99", "01", "1.1", "-1", "", "x" * 60_000])
def test_another_version_is_named_before_anything_else_is_read(version: str) -> None:
    with pytest.raises(VersionError) as caught:
        read(packets("msglog " + version if version else "msglog"))
    assert caught.value.exit_status == 4
    assert len(str(caught.value)) < 300


def test_a_greeting_of_later_days_may_say_more_but_nothing_twice() -> None:
    greeting = [
        "msglog 1",
        "agent=m",
        "object-format=sha256",
        "repository=" + "00" * 16,
        "user=ann",
        "role=read",
    ]
    expected = [Greeting("m", bytes(16), "ann", "read")]
    assert read(packets(*greeting, "limits=3", "x-y=", "0000")) == expected
    for more in (["limits=3", "limits=3"], ["user=ann"], ["agent"]):
        with pytest.raises(ProtocolError):
            read(packets(*greeting, *more, "0000"))
    for left_out in range(1, len(greeting)):
        with pytest.raises(ProtocolError):
            read(packets(*greeting[:left_out], *greeting[left_out + 1 :], "0000"))
    for wrong in ("user=", "user=a b", "user=a\x1b[31m", "role=" + "x" * 129, "repository=00"):
        name = wrong.partition("=")[0]
        kept = [text for text in greeting if not text.startswith(name)]
        with pytest.raises(ProtocolError):
            read(packets(*kept, wrong, "0000"))


def test_an_error_may_come_instead_of_the_rest_of_a_greeting() -> None:
    stream = packets("msglog 1", "agent=m", "error busy later", "ls-refs", "0000")
    assert read(stream) == [PeerError("busy", "later"), ListRefs()]


def test_a_keep_alive_may_come_anywhere() -> None:
    asked = next(event for event in SAMPLES if isinstance(event, GetNodes))
    data = encode_event(asked)
    first = int(data[:4], 16)
    alive = encode_event(KeepAlive())
    assert read(alive + data[:first] + alive + data[first:]) == [KeepAlive(), KeepAlive(), asked]


def test_as_many_paths_as_are_allowed_fit_and_no_more() -> None:
    longest = (80, KEY)
    nodes = tuple([(longest, bytes(64))] * PATH_LIMIT)
    event = GetNodes("main", ROOT, 16, nodes, KEY)
    assert read(encode_event(event)) == [event]
    with pytest.raises(ProtocolError):
        read(encode_event(GetNodes("main", ROOT, 16, (*nodes, nodes[0]), KEY)))
    with pytest.raises(ProtocolError):
        read(encode_event(Fetch("main", (), KEY, ROOT, (longest,) * (PATH_LIMIT + 1))))


def test_a_request_without_end_is_refused_within_its_limits() -> None:
    for word, argument in (("fetch", "have=" + HEX), ("fetch", "a"), ("msglog 1", "é" * 30_000)):
        reader = EventReader()
        one = packets(argument)
        list(reader.receive(packets(word)))
        most = min(ARGUMENTS_LIMIT, GROUP_BYTES_LIMIT // len(argument.encode()))
        list(reader.receive(one * most))
        assert sys.getsizeof(reader._arguments) < 1 << 18
        with pytest.raises(ProtocolError, match="too long"):
            list(reader.receive(one))


@pytest.mark.parametrize(
    ("said", "heard"),
    [
        ("", "-"),
        ("two\nlines", "two lines"),
        ("a\r\n\t b\x85c\u2028d", "a b c d"),
        ("x" * 2000, "x" * TEXT_BYTES_LIMIT),
        ("é" * 2000, "é" * (TEXT_BYTES_LIMIT // 2)),
        ("a\udcffb", "a?b"),
    ],
)
def test_texts_are_sent_on_one_line_and_cut(said: str, heard: str) -> None:
    assert read(encode_event(PeerError("busy", said))) == [PeerError("busy", heard)]
    assert read(encode_event(Refused(KEY, "quota", said))) == [Refused(KEY, "quota", heard)]


def test_a_path_is_what_its_digits_say() -> None:
    assert parse_path("") == (0, b"")
    assert parse_path("abc") == (3, b"\xab\xc0")
    for text in ("A", "g", "\u0661", "0" * 81, "ab\n"):
        with pytest.raises(ProtocolError):
            parse_path(text)


def test_a_packet_may_be_as_long_as_gits() -> None:
    with pytest.raises(ProtocolError):
        read(encode_packet(b"error busy " + b"x" * (PAYLOAD_BYTES_LIMIT - 11)))
    with pytest.raises(FramingError):
        read(b"fff1")
