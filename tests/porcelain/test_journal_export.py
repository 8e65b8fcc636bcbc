"""The export form of the journal: to the byte, within bounds, and the same messages as from JSON."""

import json
from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from porcelain import journal_export
from porcelain.import_source import Reading
from porcelain.journal import journal_rows
from porcelain.journal_export import entries

WANTED = ("MESSAGE", "_PID")
NAMES = [
    "MESSAGE",
    "MESSAGE_ID",
    "PRIORITY",
    "SYSLOG_FACILITY",
    "SYSLOG_IDENTIFIER",
    "SYSLOG_PID",
    "_COMM",
    "_HOSTNAME",
    "_PID",
    "_SYSTEMD_UNIT",
    "_SYSTEMD_USER_UNIT",
    "_CMDLINE",
    "COREDUMP",
]


def sized(name: bytes, value: bytes) -> bytes:
    return name + b"\n" + len(value).to_bytes(8, "little") + value + b"\n"


def read(data: bytes) -> list[tuple[int, dict[str, str | list[str]] | str]]:
    file = BytesIO(data)
    reading = Reading()
    found = list(entries(file, file.readline(), reading, wanted=WANTED))
    assert reading.size == len(data)
    return found


def test_fields_as_they_come() -> None:
    data = (
        b"__CURSOR=a\nMESSAGE=one=two\n_PID=7\n\n"
        + sized(b"MESSAGE", b"a\n\nb=\xff")
        + sized(b"OTHER", b"\n\n")
        + b"MESSAGE=\n\n\n\n"
        + b"MESSAGE=x\nMESSAGE=y\nMESSAGE=z\n\n"
    )
    assert read(data) == [
        (1, {"MESSAGE": "one=two", "_PID": "7"}),
        (2, {"MESSAGE": ["a\n\nb=\\xff", ""]}),
        (3, {"MESSAGE": ["x", "y", "z"]}),
    ]
    assert read(b"") == read(b"\n\n") == []


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (b"MESSAGE=x\nno name=y\nMESSAGE=z\n\n", "no name of a field"),
        (b"message=x\n\n", "no name of a field"),
        (b"=x\n\n", "no name of a field"),
        (b"A" * 65 + b"=\n\n", "no name of a field"),
        (b"\xff\n\n", "no name of a field"),
        (b"MESSAGE\n\2\0\0\0\0\0\0\0abc\n\n", "not as long as it says"),
    ],
)
def test_a_bad_entry_is_told_and_the_next_is_read(bad: bytes, why: str) -> None:
    (first, said), good = read(bad + b"MESSAGE=good\n\n")
    assert (first, good) == (1, (2, {"MESSAGE": "good"}))
    assert isinstance(said, str)
    assert why in said


def test_every_cut_is_told() -> None:
    data = b"MESSAGE=one\n\n" + sized(b"MESSAGE", b"two") + b"_PID=7\n\n"
    for end in range(len(data)):
        whole = end >= len(b"MESSAGE=one\n\n")
        rest = end - len(b"MESSAGE=one\n\n") if whole else end
        expected = [(1, {"MESSAGE": "one"})] if whole else []
        if rest:
            expected.append((len(expected) + 1, "it is cut off"))  # type: ignore[arg-type]
        assert read(data[:end]) == expected, end


def test_a_size_that_nobody_has_is_a_cut() -> None:
    assert read(b"MESSAGE\n" + b"\xff" * 8 + b"abc\n\n") == [(1, "it is cut off")]


def test_what_is_too_long_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_export, "LINE_BYTES_LIMIT", 30)
    monkeypatch.setattr(journal_export, "_READ_AT_ONCE", 7)
    long = b"x" * 40
    good = b"MESSAGE=good\n\n"
    for bad in (
        b"MESSAGE=" + long + b"\n_PID=7\n\n",
        sized(b"MESSAGE", long) + b"_PID=7\n\n",
        b"MESSAGE=0123456789\n" * 4 + b"\n",
    ):
        assert read(bad + good) == [(1, "it is too long"), (2, {"MESSAGE": "good"})]
    assert read(sized(b"OTHER", long) + good) == [(1, {"MESSAGE": "good"})]


TEXTS = st.one_of(
    st.binary(max_size=12),
    st.text(max_size=12).map(lambda text: text.encode()),
    st.sampled_from([b"", b"6", b"3\n4", b"sshd", b"\n\n", b"A=b", b"9" * 30]),
)
FIELDS = st.dictionaries(st.sampled_from(NAMES), st.lists(TEXTS, min_size=1, max_size=3))
CURSORS = st.integers(0, 99).map(lambda number: f"s=1;i={number}".encode())
TIMES = st.integers(0, 10**17).map(lambda number: b"%d" % number)
ENTRIES = st.lists(st.tuples(CURSORS, TIMES, FIELDS), min_size=1, max_size=4)


def as_json(value: bytes) -> object:
    """Return a value as journalctl prints it: bytes one by one, unless all of it is printable."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return list(value)
    return text if text.isprintable() or not value else list(value)


def json_line(fields: dict[str, list[bytes]]) -> bytes:
    one = {
        name: as_json(values[0]) if len(values) == 1 else [*map(as_json, values)]
        for name, values in fields.items()
    }
    return json.dumps(one).encode() + b"\n"


def exported(fields: dict[str, list[bytes]], *, sizes: bool) -> bytes:
    parts = []
    for name, values in fields.items():
        for value in values:
            plain = b"\n" not in value and not sizes
            one = name.encode() + b"=" + value + b"\n" if plain else sized(name.encode(), value)
            parts.append(one)
    return b"".join(parts) + b"\n"


@given(made=ENTRIES, sizes=st.booleans())
def test_an_entry_is_the_same_message_in_both_forms(
    made: list[tuple[bytes, bytes, dict[str, list[bytes]]]], *, sizes: bool
) -> None:
    whole = [
        {"__CURSOR": [cursor], "__REALTIME_TIMESTAMP": [time], **fields}
        for cursor, time, fields in made
    ]
    forms = (
        b"".join(map(json_line, whole)),
        b"".join(exported(one, sizes=sizes) for one in whole),
    )
    rows = []
    for data in forms:
        file = BytesIO(data)
        rows.append(list(journal_rows(file, file.readline(), Reading(), author="imported")))
    assert rows[0] == rows[1]
    assert len(rows[0]) == len(made)


@given(data=st.binary(max_size=60))
def test_any_bytes_are_read_to_the_end(data: bytes) -> None:
    read(b"MESSAGE=x\n" + data)
