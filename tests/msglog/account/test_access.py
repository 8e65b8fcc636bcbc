"""Which grant decides about a log, and that nothing is allowed that nobody granted."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msglog.account.access import Access, Grant, InvalidPatternError, check_pattern, sorted_grants
from msglog.account.role import Capability, Role


def access(role: Role, *grants: Grant) -> Access:
    return Access("ann", None, "main", role, sorted_grants(grants))


def test_without_grants_the_role_decides() -> None:
    for role in Role:
        for capability in Capability:
            allowed = access(role).may(capability, "main")
            assert allowed is (capability in role.capabilities)


def test_a_grant_decides_for_its_logs_only() -> None:
    given_access = access(Role.READ, Grant("ops/*", Role.WRITE))
    assert given_access.role_for("ops/night") is Role.WRITE
    assert given_access.role_for("ops") is Role.READ
    assert given_access.role_for("main") is Role.READ


def test_a_grant_can_take_away() -> None:
    assert access(Role.WRITE, Grant("secret", Role.NONE)).role_for("secret") is Role.NONE


@pytest.mark.parametrize(
    ("grants", "expected"),
    [
        # The user's own before everybody's, however short.
        ([Grant("*", Role.READ), Grant("ops/night", Role.ADMIN, own=False)], Role.READ),
        # The longer literal prefix.
        ([Grant("*", Role.READ), Grant("ops/*", Role.WRITE)], Role.WRITE),
        ([Grant("ops/*", Role.WRITE), Grant("ops/n*", Role.NONE)], Role.NONE),
        ([Grant("ops/*", Role.READ, own=False), Grant("*", Role.WRITE, own=False)], Role.READ),
        # A whole name before a pattern that begins with it.
        ([Grant("ops/night", Role.WRITE), Grant("ops/night*", Role.READ)], Role.WRITE),
        # A tie denies.
        ([Grant("ops/*t", Role.WRITE), Grant("ops/*", Role.READ)], Role.NONE),
        ([Grant("*t", Role.WRITE), Grant("*", Role.WRITE)], Role.NONE),
        # A tie further down does not matter.
        ([Grant("*t", Role.WRITE), Grant("*", Role.READ), Grant("ops/*", Role.READ)], Role.READ),
    ],
)
def test_precedence(grants: list[Grant], expected: Role) -> None:
    assert access(Role.ADMIN, *grants).role_for("ops/night") is expected
    assert access(Role.ADMIN, *reversed(grants)).role_for("ops/night") is expected


def test_administering_comes_from_the_role_alone() -> None:
    assert access(Role.ADMIN).may_administer
    assert access(Role.ADMIN, Grant("*", Role.NONE)).may_administer
    assert not access(Role.WRITE, Grant("*", Role.ADMIN)).may_administer


def test_emptiness() -> None:
    assert access(Role.NONE).is_empty
    assert access(Role.NONE, Grant("*", Role.NONE)).is_empty
    assert not access(Role.NONE, Grant("x", Role.APPEND)).is_empty
    assert not access(Role.APPEND).is_empty


@pytest.mark.parametrize("pattern", ["main", "*", "ops/*", "a*b", "ops/*/x", "*.log", "a/b/c/d"])
def test_good_patterns(pattern: str) -> None:
    assert check_pattern(pattern) == pattern


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "/",
        "../x",
        "a..b",
        "**",
        "A",
        "a\n",
        "a/",
        "/a",
        "a?",
        "[a]",
        "a/b/c/d/e",
        "ä",
        "a" * 300,
    ],
)
def test_bad_patterns(pattern: str) -> None:
    with pytest.raises(InvalidPatternError):
        check_pattern(pattern)


NAMES = st.text("ab/", min_size=1, max_size=8)
PATTERNS = st.text("ab/*", min_size=1, max_size=8)


@given(PATTERNS, NAMES)
def test_patterns_match_as_regular_expressions_would(pattern: str, log: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    expected = re.fullmatch(expression, log) is not None
    assert Grant(pattern, Role.READ).matches(log) is expected


GRANTS = st.builds(Grant, PATTERNS, st.sampled_from(list(Role)), st.booleans())


@given(
    st.lists(GRANTS, max_size=5),
    NAMES,
    st.sampled_from(list(Role)),
    st.sampled_from(list(Capability)),
)
def test_what_is_allowed_was_granted_by_somebody(
    grants: list[Grant], log: str, role: Role, capability: Capability
) -> None:
    given_access = access(role, *grants)
    if given_access.may(capability, log):
        roles = [role, *(grant.role for grant in grants if grant.matches(log))]
        assert any(capability in one.capabilities for one in roles)
        assert not given_access.is_empty
