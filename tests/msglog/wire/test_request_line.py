"""The command line of a session: nothing passes but the grammar, and what passes comes back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.objectid import ObjectId
from msglog.refname import is_log_name
from msglog.wire.events import HAVE_LIMIT, Fetch, ListRefs, Push
from msglog.wire.grammar import ProtocolError
from msglog.wire.request_line import (
    LINE_BYTES_LIMIT,
    WORDS_BYTES_LIMIT,
    EarlyRequest,
    format_requests,
    parse_direct_line,
    parse_request_line,
    parse_requests,
)

ROOT = ObjectId(bytes(range(32)))
HEX = ROOT.hex()


@pytest.mark.parametrize(
    ("line", "path", "requests"),
    [
        ("msglog receive-pack", "", []),
        ("msglog receive-pack lab/results", "lab/results", []),
        ("msglog receive-pack ls-refs=", "", [ListRefs()]),
        ("msglog receive-pack ls-refs", "ls-refs", []),
        ("msglog receive-pack fetch:main=", "", [Fetch("main")]),
        (f"msglog receive-pack push:a/b={HEX}", "", [Push("a/b", (ROOT,))]),
        (
            f"msglog receive-pack lab ls-refs= fetch:x={HEX},{HEX} push:main=",
            "lab",
            [ListRefs(), Fetch("x", (ROOT, ROOT)), Push("main")],
        ),
    ],
)
def test_the_grammar_is_taken(line: str, path: str, requests: list[EarlyRequest]) -> None:
    assert parse_request_line(line) == (path, requests)


@pytest.mark.parametrize(
    "line",
    [
        "",
        " ",
        "sh",
        "bash -i",
        "--help",
        "msglog",
        "msglog --help",
        "msglog receive-pack --help",
        "msglog receive-pack -h",
        "msglog receive-pack --direct /etc",
        "msglog receive-pack bob ann",
        "receive-pack bob",
        "receive-pack",
        "msglog push",
        "msglog  receive-pack",
        " msglog receive-pack",
        "msglog receive-pack ",
        "msglog receive-pack  main",
        "msglog receive-pack\n",
        "msglog receive-pack\nid",
        "msglog receive-pack main\n",
        "msglog receive-pack\tmain",
        "msglog receive-pack;id",
        "msglog receive-pack ;id",
        "msglog receive-pack $(id)",
        "msglog receive-pack `id`",
        "msglog receive-pack main|id",
        "msglog receive-pack main&",
        "msglog receive-pack 'main'",
        "msglog receive-pack *",
        "msglog receive-pack ~",
        "msglog receive-pack ..",
        "msglog receive-pack a/../b",
        "msglog receive-pack a..b",
        "msglog receive-pack /etc",
        "msglog receive-pack a/",
        "msglog receive-pack a//b",
        "msglog receive-pack a/b/c/d/e",
        "msglog receive-pack A",
        "msglog receive-pack .msglog",
        "msglog receive-pack a\0",
        "msglog receive-pack \u0430",
        "msglog receive-pack \u0661",
        "msglog receive-pack\u00a0main",
        "msglog receive-pack main\u2028",
        "msglog receive-pack main\x85",
        "msglog receive-pack " + "a" * 65,
        "msglog receive-pack ls-refs=x",
        "msglog receive-pack fetch:main",
        "msglog receive-pack fetch:=",
        "msglog receive-pack fetch:..=",
        "msglog receive-pack fetch:a..b=",
        "msglog receive-pack fetch:Main=",
        f"msglog receive-pack fetch:main={HEX},",
        f"msglog receive-pack fetch:main=,{HEX}",
        f"msglog receive-pack fetch:main={HEX[:-1]}",
        f"msglog receive-pack fetch:main={HEX}0",
        f"msglog receive-pack fetch:main={HEX.upper()}",
        f"msglog receive-pack fetch:main={HEX} lab",
        "msglog receive-pack fetch:main=" + ",".join([HEX] * (HAVE_LIMIT + 1)),
        f"msglog receive-pack get-nodes:main={HEX}",
        "msglog receive-pack" + " ls-refs=" * 200,
        "x" * (1 << 20),
        "msglog receive-pack " + "a/" * (1 << 19),
    ],
)
def test_everything_else_is_refused_on_one_short_line(line: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        parse_request_line(line)
    assert len(str(caught.value)) < 300
    assert "\n" not in str(caught.value)


@given(st.text(max_size=60) | st.text("msglog receive-pack:=/.,0f\n", max_size=60))
def test_noise_is_refused_or_taken_in_its_one_form(text: str) -> None:
    for line in (text, "msglog receive-pack " + text, "msglog receive-pack" + text):
        try:
            path, requests = parse_request_line(line)
        except ProtocolError:
            continue
        words = [word for word in [path, *format_requests(requests)] if word]
        assert " ".join(["msglog receive-pack", *words]) == line


logs = st.from_regex(
    r"[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][a-z0-9._-]{0,63}){0,3}", fullmatch=True
)
roots = st.binary(min_size=32, max_size=32).map(ObjectId)
haves = st.lists(roots, max_size=HAVE_LIMIT).map(tuple)
requests_ = st.lists(
    st.just(ListRefs())
    | st.builds(Fetch, logs.filter(is_log_name), haves)
    | st.builds(Push, logs.filter(is_log_name), haves),
    max_size=4,
)


@given(requests_, logs.filter(is_log_name) | st.just(""))
def test_requests_survive_the_command_line(requests: list[EarlyRequest], path: str) -> None:
    words = format_requests(requests)
    line = " ".join(word for word in ["msglog receive-pack", path, *words] if word)
    assert len(line) <= LINE_BYTES_LIMIT
    assert parse_request_line(line) == (path, requests[: len(words)])
    if len(words) < len(requests):
        assert len(" ".join(format_requests([*requests[: len(words) + 1]]))) <= WORDS_BYTES_LIMIT


def test_what_words_cannot_say_waits_for_the_stream_and_so_does_all_after_it() -> None:
    plain, sliced = Fetch("main"), Fetch("main", view=type(Fetch("x").view)(b"\x80" + bytes(39)))
    assert format_requests([plain, sliced, plain]) == ["fetch:main="]
    found = Push("main", root=ROOT, without=((0, b""),))
    assert format_requests([found, plain]) == []


def test_get_nodes_is_no_word() -> None:
    with pytest.raises(ProtocolError):
        parse_requests(["get-nodes="])


@pytest.mark.parametrize("place", ["", " team/ops", " --direct ./x", " --direct /a'b;c"])
def test_a_direct_line_carries_requests_whatever_it_names(place: str) -> None:
    root = "ab" * 32
    line = f"msglog receive-pack{place} ls-refs= push:main={root}"
    assert parse_direct_line(line) == [ListRefs(), Push("main", (ObjectId(bytes.fromhex(root)),))]
    assert parse_direct_line(f"msglog receive-pack{place}") == []


@pytest.mark.parametrize(
    "line",
    [
        "",
        "sh",
        "msglog receive-pack --direct",
        "msglog receive-pack --direct a b",
        "msglog receive-pack --direct a\nb",
        "msglog receive-pack ; id",
        "msglog receive-pack --direct a ls-refs= ",
        "msglog receive-pack --direct a fetch:../x=",
        "msglog receive-pack " + "x" * 2000,
    ],
)
def test_any_other_direct_line_is_refused(line: str) -> None:
    with pytest.raises(ProtocolError):
        parse_direct_line(line)


@pytest.mark.parametrize("path", ["", "lab/results "])
def test_the_words_have_a_bound_of_their_own(path: str) -> None:
    words = ["fetch:main="] * 57
    fitting, too_many = [*words, "fetch:mainabcde="], [*words, "fetch:mainabcdef="]
    assert len(" ".join(fitting)) == WORDS_BYTES_LIMIT
    line = f"msglog receive-pack {path}{' '.join(fitting)}"
    assert len(parse_request_line(line)[1]) == len(parse_direct_line(line)) == len(fitting)
    line = f"msglog receive-pack {path}{' '.join(too_many)}"
    assert len(line) < LINE_BYTES_LIMIT
    for parse in (parse_request_line, parse_direct_line):
        with pytest.raises(ProtocolError, match="too long"):
            parse(line)
    with pytest.raises(ProtocolError, match="too long"):
        parse_requests(too_many)


_NAME = r"[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][a-z0-9._-]{0,63}){0,3}"
_ROOTS = rf"(?:[0-9a-f]{{64}}(?:,[0-9a-f]{{64}}){{0,{HAVE_LIMIT - 1}}})?"
_WORD = rf"(?:ls-refs=|(?:fetch|push):{_NAME}={_ROOTS})"
_LINE = re.compile(
    rf"msglog receive-pack(?: (?P<path>{_NAME}))?(?P<requests>(?: {_WORD})*)", re.ASCII
)
_DIRECT_LINE = re.compile(
    rf"msglog receive-pack(?: (?:--direct [^ \n]+|{_NAME}))?(?P<requests>(?: {_WORD})*)", re.ASCII
)
_PIECES = st.one_of(
    st.sampled_from(
        [
            "msglog",
            "receive-pack",
            "--direct",
            "/srv/log",
            "main",
            "a/b",
            "a..b",
            "ls-refs=",
            "ls-refs",
            "sh",
        ]
    ),
    st.sampled_from(
        [
            "fetch:main=",
            "push:a/b=",
            "fetch:=",
            "fetch:A=",
            "fetch:main",
            ",",
            "=",
            ":",
            "/",
            ".",
            "-",
        ]
    ),
    st.sampled_from([" ", "  ", "\n", "\t", "\r", "é", "\u0660", "x" * 65]),
    st.sampled_from([HEX, HEX[:-1], HEX.upper()]),
)


@given(st.lists(_PIECES, max_size=8), st.booleans())
def test_what_is_taken_is_what_the_grammar_says(
    pieces: list[str],
    begun: bool,  # noqa: FBT001 - Hypothesis gives it
) -> None:
    line = ("msglog receive-pack" if begun else "") + "".join(pieces)
    short = len(line) <= LINE_BYTES_LIMIT and ".." not in line
    for parse, pattern in ((parse_request_line, _LINE), (parse_direct_line, _DIRECT_LINE)):
        match = pattern.fullmatch(line)
        requests = "" if match is None else match["requests"].strip(" ")
        taken = True
        try:
            parse(line)
        except ProtocolError:
            taken = False
        assert taken == (short and match is not None and len(requests) <= WORDS_BYTES_LIMIT)
