"""Stepping operations: one at a time, in the turns that were asked for."""

import itertools
import threading

import pytest

from tests.busy import schedule
from tests.busy.exploration import positions
from tests.busy.schedule import (
    TO_THE_END,
    StuckError,
    frozen,
    interrupting,
    pause,
    run,
    shuffled,
)


def talking(name: str, heard: list[str], words: int = 3) -> schedule.Operation:
    def operation() -> str:
        for number in range(words):
            pause()
            heard.append(f"{name}{number}")
        return name

    return operation


def told(turns: schedule.Turns, *names: str) -> str:
    heard: list[str] = []
    actors = run([talking(name, heard) for name in names], turns)
    assert [actor.result for actor in actors] == [*names]
    assert [actor.steps for actor in actors] == [3] * len(names)
    return " ".join(heard)


def test_one_goes_on_at_a_time_in_the_turns_asked_for() -> None:
    assert told(iter(()), "a", "b") == "a0 a1 a2 b0 b1 b2"
    assert told(interrupting(0, 2, 3), "a", "b") == "a0 b0 b1 a1 a2 b2"
    assert told(interrupting(1, 1, TO_THE_END), "a", "b") == "a0 a1 a2 b0 b1 b2"
    assert told(frozen(3, 1, 3), "a", "b", "c") == "b0 b1 a0 a1 a2 c0 c1 c2 b2"


def test_an_order_by_chance_is_the_same_for_a_seed() -> None:
    orders = [told(shuffled(3, seed), "a", "b", "c") for seed in range(20)]
    assert orders == [told(shuffled(3, seed), "a", "b", "c") for seed in range(20)]
    assert len(set(orders)) > 10


def test_an_error_ends_one_and_is_kept() -> None:
    def fail() -> None:
        pause()
        raise ZeroDivisionError

    heard: list[str] = []
    first, second = run([fail, talking("b", heard)], iter([(0, 1), (1, 1)]))
    assert isinstance(first.error, ZeroDivisionError)
    assert (second.error, len(heard)) == (None, 3)


def test_one_that_waits_for_another_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "STUCK_SECONDS", 0.01)
    never = threading.Event()
    with pytest.raises(StuckError):
        run([never.wait], iter(()))
    never.set()


def test_outside_of_an_operation_nothing_pauses() -> None:
    pause()


def test_every_interruption_of_two_is_there() -> None:
    orders = {
        told(interrupting(first, at, steps), "a", "b") for first, at, steps in positions([4, 4])
    }
    two_switches = {
        order
        for order in (
            " ".join(f"{name}{mixed[:place].count(name)}" for place, name in enumerate(mixed))
            for mixed in itertools.permutations("aaabbb")
        )
        if sum(one[0] != other[0] for one, other in itertools.pairwise(order.split())) <= 2
    }
    assert two_switches <= orders
