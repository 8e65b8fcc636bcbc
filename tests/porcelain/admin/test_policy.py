"""`admin policy set`, `unset` and `list`."""

import pytest

from tests.porcelain.admin.running import Home


@pytest.fixture(params=["files", "postgres"])
def home(request: pytest.FixtureRequest, home: Home) -> Home:
    """An account of either kind."""
    if request.param == "postgres":
        home.keep_in(request.getfixturevalue("databases").fresh())
    return home


def test_policies_are_set_listed_and_taken_back(home: Home) -> None:
    done = home.do("policy", "set", "ops/*", "enforce-author=on", "max-future=60")
    assert done.output == "main ops/* enforce-author=on\nmain ops/* max-future=60\n"
    home.do("policy", "set", "team/a", "*", "quota-bytes=none")
    home.do("policy", "set", "max-future", "quota-bytes=5")
    assert len(home.do("policy", "list").output.splitlines()) == 4
    (record,) = home.do("policy", "list", "team/a", "--json").records
    assert record == {
        "repository": "team/a",
        "pattern": "*",
        "policy": "quota-bytes",
        "value": "none",
    }
    assert home.do("policy", "unset", "ops/*", "max-future").output == (
        "No more: main ops/* max-future=60\n"
    )
    home.do("policy", "unset", "max-future")
    home.do("policy", "unset", "team/a", "*", "quota-bytes")
    home.do("policy", "unset", "ops/*")
    assert home.do("policy", "list").output == ""
    details = [one["detail"] for one in home.do("audit", "--json").records]
    assert "ops/* enforce-author=on max-future=60" in details


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["set", "*", "colour=red"], "no policy"),
        (["set", "*", "max-mesage-bytes=9"], "Did you mean max-message-bytes?"),
        (["set", "*", "max-future=soon"], "max-future"),
        (["set", "*"], "no policy"),
        (["set", "max-future=1"], "which logs"),
        (["set", "a", "b", "c", "max-future=1"], "which logs"),
        (["set", "../x", "max-future=1"], "pattern"),
        (["set", "../x", "x", "max-future=1"], "repository"),
        (["unset", "*"], "no policy"),
        (["unset", "*", "max-future"], "no max-future"),
    ],
)
def test_what_is_refused(home: Home, words: list[str], said: str) -> None:
    result = home.admin("policy", *words)
    assert result.status == 2
    assert said in result.errors
    assert home.do("policy", "list").output == ""


def test_no_policy_at_all_is_answered_by_their_names(home: Home) -> None:
    said = home.admin("policy", "set", "main").errors
    assert "Give KEY=VALUE; KEY is enforce-author, max-future" in said
    assert len(said) < 200
