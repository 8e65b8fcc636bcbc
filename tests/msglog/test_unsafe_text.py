"""What is taken to be safe at a glance has nothing unsafe in it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from msglog.unsafe_text import UNSAFE, is_safe_block, is_safe_line

IN_LINE = re.compile(f"[{UNSAFE}]")
IN_BLOCK = re.compile(f"(?![\n\t])[{UNSAFE}]")


def test_no_unsafe_character_is_taken_to_be_safe() -> None:
    for code in range(0x110000):
        text = f"a{chr(code)}"
        assert not (is_safe_line(text) and IN_LINE.search(text)), hex(code)
        assert not (is_safe_block(text) and IN_BLOCK.search(text)), hex(code)


@given(st.text(st.characters(exclude_categories=[])))
def test_no_text_with_something_unsafe_is_taken_to_be_safe(text: str) -> None:
    assert not (is_safe_line(text) and IN_LINE.search(text))
    assert not (is_safe_block(text) and IN_BLOCK.search(text))


def test_common_text_is_safe_at_a_glance() -> None:
    for text in ("", "printable ASCII ~", "Grüße, naïve Ωμέγα", "Привет", "日本語", "🙂"):
        assert is_safe_line(text)
        assert is_safe_block(f"{text}\n\t{text}")
        assert not is_safe_line(f"{text}\n")
        assert not is_safe_line(f"{text}\t")
