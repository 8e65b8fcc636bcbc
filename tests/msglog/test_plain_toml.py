"""Ordinary TOML is read as tomllib reads it; the rest is left to tomllib."""

import tomllib
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.plain_toml import read_plain


def flatten(table: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in table.items():
        if isinstance(value, dict):
            yield from flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


PIECES = st.one_of(
    st.sampled_from(
        [
            "[remote.origin]\n",
            "[remote]\n",
            "[a]\n",
            "[a.b]\n",
            "[]\n",
            "[a.]\n",
            "[[a]]\n",
            "[ a ]\n",
        ]
    ),
    st.sampled_from(
        ['url = "server@host"\n', 'url="x"', "\n", "url = 'x'\n", 'b = "\\n"\n', 'b = "a" # no\n']
    ),
    st.sampled_from(
        [
            "b = 5\n",
            "b = 05\n",
            "b = -5\n",
            "b = 5.0\n",
            "b = true\n",
            "b = True\n",
            "b =\n",
            "= 5\n",
        ]
    ),
    st.sampled_from(
        [
            "c.d = 1\n",
            "b = [1]\n",
            'b = ["a"]\n',
            'b = [ "a" ,"b/*"\t]\n',
            'b = ["a,b"]\n',
            'b = ["a",]\n',
            'b = ["a"] # ]\n',
            "b = []\n",
            'b = ["a", 1]\n',
            "b = 1979-05-27\n",
            "# note\n",
            "#\x00\n",
            "\t ",
            " ",
            "\r\n",
            "é",
        ]
    ),
    st.sampled_from(
        ['"b" = 1\n', 'b = """x"""\n', "b = 123456789012345678901\n", "b = 1_0\n", "origin = 1\n"]
    ),
)


@given(st.lists(PIECES, max_size=8))
def test_what_is_read_is_what_tomllib_reads(pieces: list[str]) -> None:
    text = "".join(pieces)
    found = read_plain(text)
    if found is not None:
        assert found == dict(flatten(tomllib.loads(text)))


@given(st.text("abc[].,=\"'\\# \t\n01-_", max_size=30))
def test_so_is_any_text(text: str) -> None:
    found = read_plain(text)
    if found is not None:
        assert found == dict(flatten(tomllib.loads(text)))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", {}),
        ("# nothing\n\n", {}),
        ('[user]\nauthor = "ann"\n', {"user.author": "ann"}),
        (
            '[remote.origin]\nurl = "server@host:lab"\nrepository = "00ff"\n\n[ssh]\ntransport="auto"',
            {
                "remote.origin.url": "server@host:lab",
                "remote.origin.repository": "00ff",
                "ssh.transport": "auto",
            },
        ),
        ('[remote.o]\nlogs = ["main", "lab/*"]\n', {"remote.o.logs": ["main", "lab/*"]}),
        ("[tool.x]\n  n = 12\n  yes = true\n", {"tool.x.n": 12, "tool.x.yes": True}),
    ],
)
def test_what_msglog_writes_is_read(text: str, expected: dict[str, object]) -> None:
    assert read_plain(text) == expected


@pytest.mark.parametrize(
    "text", ["a = 1\na = 2\n", "a = 1\n[a]\n", "[a]\n[a]\n", "[a.b]\n[a]\nb=1"]
)
def test_contradictions_are_for_tomllib_to_explain(text: str) -> None:
    assert read_plain(text) is None
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
