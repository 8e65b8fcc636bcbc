from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.errors import UsageError
from msglog.search.query import (
    DEPTH_LIMIT,
    QUERY_LIMIT,
    TERM_LIMIT,
    All,
    Either,
    InLog,
    Meta,
    Not,
    Query,
    QueryError,
    Since,
    Tag,
    Until,
    Words,
    log_patterns,
    parse,
)

TIMES = {"2026": (1, 2), "2 hours ago": (3, 4), "-2h": (5, 6)}


def read_time(text: str, last: bool) -> int:  # noqa: FBT001 - as ReadTime has it
    if text not in TIMES:
        raise QueryError(f"no time {text}")
    return TIMES[text][last]


def shown(query: Query) -> str:
    """Return a query in a short form for comparison."""
    match query:
        case Words(column, text, prefix):
            return f"{'' if column == 'body' else column + '='}<{text}>{'*' if prefix else ''}"
        case Tag(text, prefix):
            return f"tag=<{text}>{'*' if prefix else ''}"
        case Meta(name, text, prefix):
            value = "" if text is None else f"=<{text}>"
            return f"meta=<{name}>{value}{'*' if prefix else ''}"
        case InLog(pattern):
            return f"log={pattern}"
        case Since(time):
            return f"since={time}"
        case Until(time):
            return f"until={time}"
        case Not(part):
            return f"-{shown(part)}"
        case All(parts):
            return f"({' & '.join(map(shown, parts))})"
        case Either(parts):
            return f"({' | '.join(map(shown, parts))})"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("pump", "<pump>"),
        ("  pump   failed ", "(<pump> & <failed>)"),
        ('"pump failed"', "<pump failed>"),
        ('"pump fai"*', "<pump fai>*"),
        ("pum*", "<pum>*"),
        ("2*3", "<2*3>"),
        ("pump *", "<pump>"),
        ("pump -test", "(<pump> & -<test>)"),
        ("NOT test", "-<test>"),
        ("-NOT", "-<NOT>"),
        ("not and or", "(<not> & <and> & <or>)"),
        ("x-ray", "<x-ray>"),
        ("pump OR valve failed", "((<pump> | <valve>) & <failed>)"),
        ("a b OR c OR d e", "(<a> & (<b> | <c> | <d>) & <e>)"),
        ("a AND b", "(<a> & <b>)"),
        ("(a b) OR c", "((<a> & <b>) | <c>)"),
        ("-(a OR b) c", "(-(<a> | <b>) & <c>)"),
        ('("a b")', "<a b>"),
        ("((a))", "<a>"),
        ("f(x) main()", "(<f(x)> & <main()>)"),
        ("(f(x))", "<f(x)>"),
        ("a) b", "(<a)> & <b>)"),
        (") a", "<a>"),
        ("() a", "<a>"),
        ("a !!! OR b", "(<a> & <b>)"),
        ("!!! OR b", "<b>"),
        ("-!!! b", "<b>"),
        ("author:ann", "author=<ann>"),
        ("by:Ann", "author=<Ann>"),
        ('author:"ann lee"', "author=<ann lee>"),
        ("-author:an*", "-author=<an>*"),
        ("tag:beam/line-3", "tag=<beam/line-3>"),
        ('tag:"a b" TAG:c*', "(tag=<a b> & tag=<c>*)"),
        ("meta:run", "meta=<run>"),
        ("meta:ru*", "meta=<ru>*"),
        ("meta:run=7", "meta=<run>=<7>"),
        ("META:run=", "meta=<run>=<>"),
        ("meta:a=b=c*", "meta=<a>=<b=c>*"),
        ("meta:url=http://x a", "(meta=<url>=<http://x> & <a>)"),
        ('meta:by="Ann Lee" a', "(meta=<by>=<Ann Lee> & <a>)"),
        ('-meta:by="Ann L"*', "-meta=<by>=<Ann L>*"),
        ('meta:"run no=\'x"', "meta=<run no>=<'x>"),
        ('meta:"run no"', "meta=<run no>"),
        ('x="a b"', "(<x=> & <a b>)"),
        ("log:main", "log=main"),
        ("log:beamline/*", "log=beamline/*"),
        ("since:2026 until:2026", "(since=1 & until=2)"),
        ('after:"2 hours ago" before:-2h', "(since=3 & until=6)"),
        ("http://host/x", "<http://host/x>"),
        ("note: 10:30 C:/x", "(<note:> & <10:30> & <C:/x>)"),
        ('"autor:ann"', "<autor:ann>"),
        ("a\0b\udc80", "(<a> & <b?>)"),
        ("泵", "<\x1f泵\x1f>"),
    ],
)
def test_what_a_query_says(text: str, expected: str) -> None:
    assert shown(parse(text, read_time)) == expected


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "nothing to look for"),
        ("!!! - ()", "nothing to look for"),
        ('pump "failed', "quotation mark is not closed"),
        ('a"b', "quotation mark is not closed"),
        ("(a b", "parenthesis is not closed"),
        ("a OR", "OR has nothing"),
        ("OR a", "OR has nothing"),
        ("a OR OR b", "OR has nothing"),
        ("(a OR) b", "OR has nothing"),
        ("AND a", "AND has nothing"),
        ("a AND", "AND has nothing"),
        ("a AND AND b", "AND has nothing"),
        ("a NOT", "NOT has nothing"),
        ("autor:ann", "Did you mean author:? To look for the text, quote it: '\"autor:ann\"'."),
        ("zz:ann", "Known are author:"),
        ("author: ann", "author: has no value. Write it without a space"),
        ('tag:""', "tag: has no value"),
        ("tag:*", "tag: has no value"),
        ("author:!!!", "no author can be called"),
        ("meta:=7", "meta: has no name. Write meta:NAME or meta:NAME=VALUE."),
        ('meta:""', "meta: has no name"),
        ("meta: run", "meta: has no value"),
        ("log:Main", "no log can be called"),
        ("since:never", "no time never"),
        ("*pump", "'*pump' begins with *"),
        ("x" * (QUERY_LIMIT + 1), "too long"),
        ("x " * (TERM_LIMIT + 1), "too long"),
        ("(" * (DEPTH_LIMIT + 1) + "a" + ")" * (DEPTH_LIMIT + 1), "nested too deep"),
    ],
)
def test_what_is_refused(text: str, what: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, read_time)
    assert what in str(caught.value)


def test_the_contrary_of_a_contrary() -> None:
    assert shown(parse("NOT " * (TERM_LIMIT - 1) + "a", read_time)) == "-<a>"
    assert shown(parse("NOT -(NOT NOT a)", read_time)) == "<a>"


@given(st.text(alphabet='ab!*-":=() \0\udc80泵éANDORNTmeta', max_size=60))
def test_any_text_is_a_query_or_refused(text: str) -> None:
    with suppress(QueryError):
        parse(text, read_time)


def test_all_logs_that_are_named_are_told() -> None:
    query = parse("a (log:x OR -log:y) -(b log:z)", read_time)
    assert list(log_patterns(query)) == ["x", "y", "z"]
