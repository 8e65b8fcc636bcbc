"""Policies: which one holds for a log, and what can be set."""

import pytest

from msglog.account.access import InvalidPatternError
from msglog.account.name import InvalidRepositoryError
from msglog.account.policy import (
    LogPolicy,
    PolicyError,
    UnknownPolicyError,
    policies,
    policy_of,
    set_policies,
    unset_policies,
)
from msglog.account.tables import Tables


def ask(tables: Tables, pattern: str, *words: str, repository: str = "main") -> None:
    pairs = [word.partition("=") for word in words]
    set_policies(tables, repository, pattern, [(name, value) for name, _, value in pairs])


def test_nothing_is_asked_at_first(tables: Tables) -> None:
    assert policy_of(tables, "main", "main") == LogPolicy()


def test_the_most_specific_pattern_decides_each_policy(tables: Tables) -> None:
    ask(tables, "*", "enforce-author=on", "max-future=60", "quota-bytes=1000", "quota-messages=5")
    ask(tables, "ops/*", "max-future=3600", "max-message-bytes=100")
    ask(tables, "ops/a", "enforce-author=off", "quota-bytes=none", "max-message-bytes=0")
    ask(tables, "*", "max-future=1", repository="team/other")
    assert policy_of(tables, "main", "x") == LogPolicy(True, 60, None, 5, 1000)  # noqa: FBT003
    assert policy_of(tables, "main", "ops/b") == LogPolicy(True, 3600, 100, 5, 1000)  # noqa: FBT003
    assert policy_of(tables, "main", "ops/a") == LogPolicy(False, 3600, 0, 5, None)  # noqa: FBT003
    assert policy_of(tables, "team/other", "ops/a") == LogPolicy(max_future=1)


def test_of_equally_specific_patterns_the_stricter_holds(tables: Tables) -> None:
    ask(tables, "a*c", "enforce-author=on", "max-future=9", "quota-bytes=none")
    ask(tables, "a*bc", "enforce-author=off", "max-future=8", "quota-bytes=7")
    assert policy_of(tables, "main", "abc") == LogPolicy(
        enforce_author=True, max_future=8, quota_bytes=7
    )


@pytest.mark.parametrize(
    "word",
    [
        "max-future=-1",
        "max-future=1.5",
        "max-future=on",
        "max-future=",
        "max-future=٣",
        "max-future=1_0",
        "max-future=" + "9" * 30,
        "enforce-author=1",
        "enforce-author=none",
        "colour=red",
        "=1",
    ],
)
def test_what_cannot_be_set(tables: Tables, word: str) -> None:
    with pytest.raises(PolicyError):
        ask(tables, "*", "quota-bytes=1", word)
    assert policies(tables) == []


def test_places_are_checked(tables: Tables) -> None:
    with pytest.raises(InvalidPatternError):
        ask(tables, "../x", "max-future=1")
    with pytest.raises(InvalidRepositoryError):
        ask(tables, "x", "max-future=1", repository="../x")


def test_what_is_set_is_listed_and_taken_back(tables: Tables) -> None:
    ask(tables, "*", "max-future=60", "enforce-author=on", "quota-bytes=none")
    ask(tables, "*", "max-future=61")
    assert [(one.name, one.value) for one in policies(tables, "main")] == [
        ("enforce-author", "on"),
        ("max-future", "61"),
        ("quota-bytes", "none"),
    ]
    with pytest.raises(UnknownPolicyError):
        unset_policies(tables, "main", "*", ["max-future", "quota-messages"])
    unset_policies(tables, "main", "*", ["max-future"])
    assert len(policies(tables)) == 2
    unset_policies(tables, "main", "*", [])
    assert policies(tables) == []
    with pytest.raises(UnknownPolicyError):
        unset_policies(tables, "main", "*", [])
