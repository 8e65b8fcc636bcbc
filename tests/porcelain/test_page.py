"""Markdown: whatever a message says is text in its own quotation, as a parser of Markdown sees it."""

import cbor2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from msglog.message import Message, object_key
from msglog.objectid import ObjectId
from porcelain.display import block
from porcelain.page import Page

COMMONMARK = MarkdownIt("commonmark")
GITHUB = MarkdownIt("commonmark").enable(["table", "strikethrough"])
BLOCKS = {"heading", "paragraph", "blockquote", "inline"}
HOSTILE = [
    "# heading",
    "text\n===",
    "text\n---",
    "---",
    "***",
    "- item",
    "+ item",
    "1. item",
    "123) item",
    "> quote",
    "    code",
    "\tcode",
    "```\nfence\n```",
    "~~~\nfence",
    "<script>alert(1)</script>",
    "<!-- comment",
    "a <b>bold</b> &lt; &#35; &copy;",
    "[link](http://x) ![image](x) [ref]\n\n[ref]: http://x",
    "**bold** _italic_ `code` ~~gone~~",
    "a | b\n--|--\n1 | 2",
    "|a|b|\n|--|--|\n|1|2|",
    "line\\\nline",
    "two spaces  \nline",
    "\\",
    "http://example.org <http://example.org>",
    "\u00a0# heading",
    "one\n\n\n\ntwo\n",
    "\n\n",
    "",
]


def page(*messages: Message) -> str:
    made = Page(7, lambda _: 0)
    encoded = [message.encode() for message in messages]
    return made.head("main") + "".join([made.message(object_key(data), data) for data in encoded])


def kinds(tokens: list[Token]) -> set[str]:
    return {token.type.removesuffix("_open").removesuffix("_close") for token in tokens}


def flat(text: str) -> str:
    """Text without what Markdown cannot keep: how much white space there is."""
    return " ".join(text.split())


def shown(tokens: list[Token]) -> str:
    """What is read in quotations, and nothing but that."""
    depth, texts = 0, []
    for token in tokens:
        depth += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
        if depth and token.type == "inline":
            for child in token.children or []:
                assert child.type in ("text", "text_special", "hardbreak", "softbreak"), child
                texts.append(child.content if child.type.startswith("text") else "\n")
            texts.append("\n")
    assert depth == 0
    return "".join(texts)


def body_is_text(body: str) -> None:
    message = Message(bytes(16), 0, 0, "ann", body)
    text = page(message, Message(bytes(16), 1, 0, "bob", "end"))
    for parser in (COMMONMARK, GITHUB):
        tokens = parser.parse(text)
        assert kinds(tokens) <= BLOCKS
        assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2"]
        quotations = 2 if block(body).strip() else 1
        assert sum(token.type == "blockquote_open" for token in tokens) == quotations
        assert flat(shown(tokens)) == flat(f"{block(body)}\nend")


@pytest.mark.parametrize("body", HOSTILE)
def test_no_mark_has_effect(body: str) -> None:
    body_is_text(body)
    body_is_text(f"before\n{body}\nafter")
    body_is_text(f"  {body}")


marks = st.text(alphabet="#=-*_+>`~[]()!<&;|\\:.1a \t\n{}$^@'\"/?%", max_size=30)


@given(st.one_of(marks, st.text(max_size=30)))
@example("a\n:-")
def test_whatever_a_message_says_is_text(body: str) -> None:
    body_is_text(body)


@given(st.one_of(marks, st.text(max_size=20)).filter(bool))
def test_whoever_says_it(name: str) -> None:
    text = page(Message(bytes(16), 0, 0, name, "x", (name,), {name: name}))
    tokens = GITHUB.parse(text)
    assert kinds(tokens) <= BLOCKS
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h1", "h2"]
    head = [token for token in tokens if token.type == "inline"][2]
    allowed = {"text", "text_special", "strong_open", "strong_close", "code_inline"}
    assert {child.type for child in head.children or []} <= allowed
    assert sum(child.type == "code_inline" for child in head.children or []) == 1


def test_indentation_and_lines_are_kept() -> None:
    body = "def f():\n\treturn 1\n\nend"
    assert page(Message(bytes(16), 0, 0, "ann", body)).split("\n", 6)[-1] == (
        "> def f():  \n> \u00a0\u00a0\u00a0\u00a0return 1\n>\n> end\n"
    )


def test_a_day_has_one_heading_in_the_readers_zone() -> None:
    made = Page(7, lambda _: 120)
    hour = 3_600_000_000
    encoded = [
        Message(bytes(16), time * hour, offset, "ann", "x", reply_to=ObjectId(bytes(32))).encode()
        for time, offset in ((20, -600), (21, 600), (22, -600), (23, 0))
    ]
    text = "".join([made.message(object_key(data), data) for data in encoded])
    assert [line for line in text.split("\n") if line.startswith("#")] == [
        "## 1970-01-01",
        "## 1970-01-02",
    ]
    assert "**22:00:00** ann · answers `0000000` · `" in text


def test_an_object_of_a_newer_msglog() -> None:
    data = cbor2.dumps({"type": "*seal*", "uuid": bytes(16), "time": 0}, canonical=True)
    text = Page(7, lambda _: 0).message(object_key(data), data)
    assert "> needs a newer msglog: objects of type '\\*seal\\*'\n" in text


def test_years_that_calendars_do_not_have() -> None:
    text = page(Message(bytes(16), (1 << 63) - 1, 0, "ann", "x"))
    assert "## +294247-01-10\n" in text
