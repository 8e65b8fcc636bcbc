"""The tables of hostile cases and of the threat model name tests that there are."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
TABLES = [TESTS / "hostile" / "README.md", TESTS.parent / "docs" / "security.md"]
NAMED = re.compile(r"`([a-z_/]+)::(test_\w+)`")
CASE = re.compile(r"^\| (\d+) \|", re.MULTILINE)


@pytest.mark.parametrize("table", TABLES, ids=lambda path: path.name)
def test_every_test_that_is_named_exists(table: Path) -> None:
    named = NAMED.findall(table.read_text())
    assert named
    for module, name in named:
        assert f"def {name}(" in (TESTS / f"{module}.py").read_text(), f"{module}::{name}"


def test_every_case_has_a_row_with_a_test() -> None:
    text = TABLES[0].read_text()
    assert [int(number) for number in CASE.findall(text)] == list(range(1, 29))
    rows = [line for line in text.splitlines() if CASE.match(line)]
    assert all(NAMED.search(row) for row in rows)
