"""What docs/json.md says that commands print, and whether what is printed is of that kind."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text()


def sections() -> Iterator[tuple[str, str]]:
    for section in PAGE.split("\n### ")[1:]:
        name, _, text = section.partition("\n")
        yield name, text.partition("\n## ")[0]


KINDS = {
    name: dict(re.findall(r"^\| `([\w.]+)` \| ([^|]+) \|", text, re.MULTILINE))
    for name, text in sections()
}
"""The fields of each kind of object, with their types."""

DOCUMENTED = {
    (command, name)
    for name, text in sections()
    for printed in re.findall(r"^Printed by ((?:`[^`]*`(?:, )?)+)", text, re.MULTILINE)
    for command in re.findall(r"`([a-z][^`]*)`", printed)
}
"""Which command prints which kind."""

SILENT, TEXTUAL = (
    set(re.findall(r"`([a-z][a-z-]+(?: [a-z-]+)?)`", paragraph))
    for paragraph in PAGE.partition("\n## What prints no JSON\n\n")[2].split("\n\n")[:2]
)
"""The commands that print nothing, and those that print the same text with `--json` as without."""

OPTIONAL = "optional "
TYPES: dict[str, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "integer": lambda value: type(value) is int and -(1 << 63) <= value < 1 << 63,
    "number": lambda value: type(value) in (int, float),
    "boolean": lambda value: isinstance(value, bool),
    "null": lambda value: value is None,
    "object": lambda value: isinstance(value, dict),
    "id": lambda value: isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None,
    "time": lambda value: (
        isinstance(value, str)
        and re.fullmatch(r"(\d{4}|[+-]\d{6})-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d", value)
        is not None
    ),
}


def is_of(value: Any, type_: str) -> bool:
    """Tell whether a value is of a type as the page writes it."""
    alternatives = re.split(r", | or ", type_)
    if len(alternatives) > 1:
        return any(is_of(value, one) for one in alternatives)
    if type_.startswith("list of "):
        inner = type_.removeprefix("list of ")
        return isinstance(value, list) and all(is_of(item, inner) for item in value)
    if type_ in KINDS:
        check(value, type_)
        return True
    return TYPES[type_](value)


def check(value: Any, kind: str) -> None:
    """Check one object against the page."""
    fields = KINDS[kind]
    must = {name for name, type_ in fields.items() if not type_.startswith(OPTIONAL)}
    assert must <= value.keys() <= fields.keys(), kind
    for name, found in value.items():
        assert is_of(found, fields[name].removeprefix(OPTIONAL)), (kind, name, found)
