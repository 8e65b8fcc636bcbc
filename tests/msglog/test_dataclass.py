"""Our data classes beside the standard library's: the same calls, the same answers."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog import dataclass as ours


def make(module: Any, *, frozen: bool) -> Any:
    """The same class by either module."""

    @module.dataclass(frozen=frozen, slots=True)
    class Sample:
        """What it is for."""

        first: int
        second: str = "two"
        third: list[int] = module.field(default_factory=list)
        derived: int = module.field(init=False)
        fixed: str = module.field(default="x", init=False)

        def __post_init__(self) -> None:
            set_derived = type(self).__dict__["derived"].__set__
            set_derived(self, self.first + 1)

        def total(self) -> int:
            return self.first + self.derived

    return Sample


OURS = {frozen: make(ours, frozen=frozen) for frozen in (False, True)}
THEIRS = {frozen: make(dataclasses, frozen=frozen) for frozen in (False, True)}


def outcome(act: Callable[[], Any]) -> Any:
    """What a call gives, or which kind of error."""
    try:
        return act()
    except (TypeError, AttributeError) as error:
        return AttributeError if isinstance(error, AttributeError) else TypeError


@given(
    st.booleans(),
    st.lists(st.integers(), max_size=5),
    st.dictionaries(
        st.sampled_from(["first", "second", "third", "derived", "fixed", "other"]), st.integers()
    ),
)
def test_instances_are_made_alike(
    frozen: bool,  # noqa: FBT001 - Hypothesis gives it
    values: list[int],
    named: dict[str, int],
) -> None:
    def shown(kind: Any) -> Any:
        return outcome(lambda: repr(kind(*values, **named)))

    assert shown(OURS[frozen]) == shown(THEIRS[frozen])


@pytest.mark.parametrize("frozen", [False, True])
def test_they_behave_alike(*, frozen: bool) -> None:
    for module, kind in ((ours, OURS[frozen]), (dataclasses, THEIRS[frozen])):
        one = kind(1, "a", [2])
        assert one == kind(1, "a", [2]) != kind(1, "a", [3])
        assert one != (1, "a", [2], 2, "x")
        assert one.total() == 3
        again = module.replace(one, second="b")
        assert (again.first, again.second, again.third) == (1, "b", [2])
        assert kind(1).third is not kind(1).third
        assert not hasattr(one, "__dict__")
        assert kind.__match_args__ == ("first", "second", "third")
        with pytest.raises((AttributeError, TypeError)):  # theirs trips over its own slots
            one.other = 1
        if frozen:
            with pytest.raises(module.FrozenInstanceError):
                one.first = 2
            with pytest.raises(module.FrozenInstanceError):
                del one.first
        else:
            one.first = 5
            assert one.first == 5
            with pytest.raises(TypeError):
                hash(one)


def test_frozen_ones_are_hashed_by_their_fields() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Pair:
        first: int
        second: str

    assert len({Pair(1, "a"), Pair(1, "a"), Pair(2, "a")}) == 2
    match Pair(1, "a"):
        case Pair(first, second):
            assert (first, second) == (1, "a")


@ours.dataclass(frozen=True, slots=True)
class Frozen:
    first: int
    second: list[int]
    derived: int = ours.field(init=False)


@ours.dataclass(slots=True)
class Thawed:
    first: int
    second: list[int]


@pytest.mark.parametrize("kind", [Frozen, Thawed])
def test_they_are_copied_and_pickled(kind: Any) -> None:
    one = kind(1, [2])
    for again in (pickle.loads(pickle.dumps(one)), copy.deepcopy(one)):
        assert (again.first, again.second) == (1, [2])
        assert again.second is not one.second
    assert copy.copy(one).second is one.second


def test_a_hash_of_the_class_is_kept() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Named:
        name: str
        more: dict[str, int]

        def __hash__(self) -> int:
            return hash(self.name)

    assert len({Named("a", {}), Named("a", {}), Named("a", {"b": 1})}) == 2


def test_a_method_of_the_class_is_kept() -> None:
    @ours.dataclass(frozen=True, slots=True)
    class Odd:
        value: int

        def __eq__(self, other: object) -> bool:
            return True

        def __repr__(self) -> str:
            return "odd"

        __hash__ = None  # type: ignore[assignment]

    assert Odd(1) == Odd(2)
    assert repr(Odd(1)) == "odd"
