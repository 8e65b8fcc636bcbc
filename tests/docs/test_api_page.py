"""What docs/api.md shows works, as it stands there and in its order."""

import inspect
import logging
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import pytest

import msglog
from porcelain.surroundings import ProcessSurroundings

PAGE = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    around = ProcessSurroundings({"HOME": str(tmp_path), "PATH": os.defpath})
    monkeypatch.setattr("msglog.surroundings.find_surroundings", lambda: around)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    logging.getLogger("lab.beam").handlers.clear()
    for handler in logging.getLogger("web").handlers[:]:
        logging.getLogger("web").removeHandler(handler)
        handler.close()


def test_the_examples_in_their_order(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert len(blocks) >= 6
    together: dict[str, Any] = {}
    for number, block in enumerate(blocks):
        exec(compile(block, f"{PAGE.name}, example {number}", "exec"), together)
    assert (folder / "notes" / ".msglog" / "store.db").exists()
    assert "beam is back, 6 keV" in capsys.readouterr().out


def test_what_is_public_is_on_the_page() -> None:
    text = PAGE.read_text()
    block = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    code = block.findall(text) + re.findall(r"`([^`]+)`", block.sub("", text))
    shown = set(re.findall(r"\w+", " ".join(code)))
    public = {*msglog.__all__}
    for kind in (
        msglog.Logbook,
        msglog.Query,
        msglog.Entry,
        msglog.Exchanged,
        msglog.Found,
        msglog.Comparison,
        msglog.Damage,
    ):
        public |= {name for name in dir(kind) if not name.startswith("_")}
    for call in (msglog.Logbook.pull, msglog.Logbook.watch, msglog.Logbook.add, msglog.clone):
        public |= set(inspect.signature(call).parameters) - {"self"}
    assert public - shown == {"view", "wanted"}


def type_checkers_see_what_is_public(book: msglog.Logbook) -> None:
    """Be read by mypy; never run."""
    assert_type(msglog.open("path"), msglog.Logbook)
    assert_type(msglog.init(Path(), author="ann"), msglog.Logbook)
    assert_type(book.add("text"), msglog.Entry)
    assert_type(book.log().since("now").tag("a").reverse(), msglog.Query)
    assert_type(list(book.log()), list[msglog.Entry])
    assert_type(book.log().first(), msglog.Entry | None)
    assert_type(book.pull("origin"), list[msglog.Exchanged])
    assert_type(next(book.search("pump")), msglog.Found)
    assert_type(next(book.watch("origin")), msglog.Entry)
    assert_type(book.status(), list[msglog.Comparison])
    assert_type(list(book.verify()), list[msglog.Damage])
    assert_type(book.pull()[0].error, msglog.MsglogError | None)
    assert_type(msglog.__version__, str)
    msglog.nonsense  # type: ignore[attr-defined]  # noqa: B018
