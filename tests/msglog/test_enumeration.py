"""Our enumerations beside the standard library's."""

import enum
from typing import Any

import pytest

from msglog import enumeration as ours


def make(module: Any) -> Any:
    class Colour(module.Enum):  # type: ignore[misc]
        """What it is for."""

        RED = "red"
        BLUE = "blue"

        @property
        def loud(self) -> str:
            return self.value.upper()  # type: ignore[no-any-return]

    return Colour


@pytest.mark.parametrize("module", [ours, enum])
def test_members_behave_alike(module: Any) -> None:
    colour = make(module)
    assert [member.value for member in colour] == ["red", "blue"]
    assert [member.name for member in colour] == ["RED", "BLUE"]
    assert colour("red") is colour.RED
    assert colour.RED is not colour.BLUE
    assert colour.RED != "red"
    assert colour.RED.loud == "RED"
    assert len(colour) == 2
    assert colour.RED in colour
    assert {colour.RED: 1}[colour("red")] == 1
    assert frozenset(colour) == {colour.BLUE, colour.RED}
    assert repr(colour.RED) == "<Colour.RED: 'red'>"
    assert str(colour.RED) == "Colour.RED"
    assert isinstance(colour.RED, colour)
    unknown: Any
    for unknown in ("green", None, []):
        with pytest.raises(ValueError, match=r"is not a valid .*Colour"):
            colour(unknown)


@pytest.mark.parametrize("module", [ours, enum])
def test_values_may_be_left_to_it(module: Any) -> None:
    class State(module.Enum):  # type: ignore[misc]
        OPEN = module.auto()
        SHUT = module.auto()

    assert [state.value for state in State] == [1, 2]  # type: ignore[attr-defined]
