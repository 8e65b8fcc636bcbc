"""What FTS5 and SQL are asked: that it is always accepted; what is found is in test_answer.py."""

from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.search.catalogue import Catalogue
from msglog.search.condition import condition, shown_words
from msglog.search.query import DEPTH_LIMIT, TERM_LIMIT, QueryError, parse
from msglog.search.snippet import Snippets


@pytest.mark.parametrize(
    ("text", "match", "where", "ranked"),
    [
        ("a -b", '({body} : "a" NOT {body} : "b")', "1", True),
        ("a OR b*", '({body} : "a" OR {body} : "b" *)', "1", True),
        ("author:ann", '{author} : "ann"', "1", False),
        ("tag:a log:x", '{tags} : "x61"', "(e.log IN (SELECT number FROM log WHERE name GLOB ?))", False),
        ("meta:a", '{meta} : "n61"', "1", False),
        ("meta:a=B*", '{meta} : "v61z62" *', "1", False),
        ("meta:a=07", '{meta} : ("v61z3037" OR "d61z37")', "1", False),
        ("meta:a=1e999", '{meta} : "v61z3165393939"', "1", False),
        ("-meta:a b", '({body} : "b" NOT {meta} : "n61")', "1", True),
        ("-a", "", "(NOT (e.id IN (SELECT rowid FROM text WHERE text MATCH ?)))", False),
        ("-a since:1", "", "(NOT (e.id IN (SELECT rowid FROM text WHERE text MATCH ?))) AND (e.key >= ?)", False),
        ("b (a OR log:x)", '{body} : "b"', "((e.id IN (SELECT rowid FROM text WHERE text MATCH ?)) OR (e.log IN (SELECT number FROM log WHERE name GLOB ?)))", True),
    ],
)  # fmt: skip
def test_what_is_asked(text: str, match: str, where: str, *, ranked: bool) -> None:
    asked = condition(parse(text, lambda *_: 0))
    assert asked.match == match
    assert (asked.where, asked.ranked) == (where, ranked)


@pytest.mark.parametrize(
    "text",
    [
        "a " * TERM_LIMIT,
        " OR ".join(["a"] * (TERM_LIMIT // 2)),
        "a " + "-b " * (TERM_LIMIT - 1),
        "-b " * TERM_LIMIT,
        "NOT " * (TERM_LIMIT - 1) + "a",
        "(a OR -(b " * (DEPTH_LIMIT // 2) + ")" * DEPTH_LIMIT,
        "log:x OR a " * (TERM_LIMIT // 3),
        "a OR (b -(" * (DEPTH_LIMIT // 2) + "log:x" + "))" * (DEPTH_LIMIT // 2),
        "-(b a OR (" * (DEPTH_LIMIT // 2) + "log:x" + "))" * (DEPTH_LIMIT // 2),
        "a OR (b -(" * (DEPTH_LIMIT // 2) + "c" + "))" * (DEPTH_LIMIT // 2),
        "-(a -(b log:x) OR " * (DEPTH_LIMIT // 2) + "c" + ")" * (DEPTH_LIMIT // 2),
        "-(a b OR " * DEPTH_LIMIT + "log:x" + ")" * DEPTH_LIMIT,
    ],
)
def test_the_longest_queries_are_accepted(text: str) -> None:
    query = parse(text, lambda *_: 0)
    with closing(Catalogue.temporary(bytes(16))) as catalogue:
        assert list(catalogue.hits(condition(query), None)) == []
    with closing(Snippets(shown_words(query))) as snippets:
        snippets.of("a b")


@given(st.text(alphabet="ab!*-\":=()' 7.\0\udc80泵éANDORNTlogsincemeta^{}+", max_size=60))
def test_whatever_is_parsed_is_accepted(text: str) -> None:
    try:
        query = parse(text, lambda *_: 0)
    except QueryError:
        return
    with closing(Catalogue.temporary(bytes(16))) as catalogue:
        assert list(catalogue.hits(condition(query), None)) == []
    with closing(Snippets(shown_words(query))) as snippets:
        snippets.of("a b")
