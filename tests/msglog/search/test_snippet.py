import pytest

from msglog.search.condition import shown_words
from msglog.search.query import parse
from msglog.search.snippet import Snippet, Snippets


def snippet(query: str, body: str) -> Snippet:
    snippets = Snippets(shown_words(parse(query, lambda *_: 0)))
    try:
        snippets.of("pump pump pump")  # what was before leaves nothing behind
        return snippets.of(body)
    finally:
        snippets.close()


def marked(query: str, body: str) -> str:
    found = snippet(query, body)
    text = found.text
    for first, last in reversed(found.marks):
        text = f"{text[:first]}[{text[first:last]}]{text[last:]}"
    return text


@pytest.mark.parametrize(
    ("query", "body", "expected"),
    [
        ("pump", "The Pump, the pumps", "The [Pump], the pumps"),
        ("pump*", "The Pump, the pumps", "The [Pump], the [pumps]"),
        ('"pump failed"', "a pump failed; failed pump", "a [pump failed]; failed pump"),
        ("pump OR valve -test", "pump\n\n  valve", "[pump] [valve]"),
        ("cafe", "un cafe\u0301 noir", "un [café] noir"),
        ("m2", "10 m² here", "10 [m2] here"),
        ("故障", "泵故障了", "泵[故障]了"),
        ("author:ann", "only\nthe beginning", "only the beginning"),
        ("-pump", "only the beginning", "only the beginning"),
        ("a", "\x01a\x02 b\x1f\0", "[a] b"),
        ("a", "\x01\x01a \x02\x02", "[a]"),
    ],
)
def test_what_was_looked_for_is_marked(query: str, body: str, expected: str) -> None:
    assert marked(query, body) == expected


def test_the_part_that_matters_is_shown_of_a_long_body() -> None:
    body = "word " * 5000 + "the pump failed " + "word " * 5000
    found = snippet("pump", body)
    assert len(found.text) < 300
    assert found.text.startswith("…")
    assert found.text.endswith("…")
    assert [found.text[first:last] for first, last in found.marks] == ["pump"]


def test_of_a_long_body_without_such_words_the_beginning_is_shown() -> None:
    found = snippet("author:ann", "word " * 5000)
    assert found.text == "word " * 39 + "word…"
    assert found.marks == ()
