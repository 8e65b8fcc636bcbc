"""`admin repository`."""

import pytest

from tests.porcelain.admin.running import Home


def test_repositories_are_made_and_listed(home: Home) -> None:
    assert home.do("repository", "add", "team/ops").output == "Made the repository team/ops\n"
    (made,) = home.do("repository", "add", "team", "--json").records
    assert made["repository"] == "team"
    listed = home.do("repository", "list", "--json").records
    assert [record["repository"] for record in listed] == ["main", "team", "team/ops"]
    assert listed[0] == {"repository": "main", "logs": 1, "messages": 0}
    assert home.do("repository", "list").output.startswith("main\t0 messages in 1 log\n")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("main", "already"),
        ("../out", "cannot be the name"),
        ("a/b/c/d/e", "cannot be the name"),
        ("UPPER", "cannot be the name"),
        ("", "cannot be the name"),
        ("link", "lies outside"),
        ("link/in", "lies outside"),
    ],
)
def test_what_is_refused(home: Home, name: str, said: str) -> None:
    (home.account / "repositories" / "link").symlink_to(home.path)
    result = home.admin("repository", "add", name)
    assert result.status == 2
    assert said in result.errors
    assert [record["repository"] for record in home.do("repository", "list", "--json").records] == [
        "main"
    ]
