"""`admin gc`."""

from msglog.layout import STORE_NAME
from tests.porcelain.admin.running import Home


def test_all_repositories_are_tidied_or_one(home: Home) -> None:
    home.do("repository", "add", "team/ops")
    said = home.do("gc").output.splitlines()
    assert [line.split(":")[0] for line in said] == ["main", "team/ops"]
    assert home.do("gc", "main").output.startswith("main: Removed nothing; ")
    (record,) = home.do("gc", "team/ops", "--json").records
    assert record["repository"] == "team/ops"
    assert record["dry_run"] is False
    assert home.admin("gc", "nowhere").status != 0


def test_what_it_changes_is_recorded_and_what_it_only_says_is_not(home: Home) -> None:
    home.do("gc", "--dry-run")
    home.do("gc", "main")
    acts = [one for one in home.do("audit", "--json").records if one["operation"] == "admin gc"]
    assert [(one["result"], one["detail"]) for one in acts] == [("ok", "main")]


def test_a_damaged_repository_does_not_stop_the_others(home: Home) -> None:
    home.do("repository", "add", "a")
    home.do("repository", "add", "b")
    (home.account / "repositories" / "a" / STORE_NAME).write_bytes(b"no store")
    result = home.admin("gc")
    assert result.status == 7
    assert "not a msglog store" in result.errors
    assert [line.split(":")[0] for line in result.output.splitlines()] == ["b", "main"]


def test_the_grace_is_a_setting_of_the_account(home: Home) -> None:
    assert home.do("set", "gc.grace", "36h").output == "gc.grace 36h\n"
    home.do("gc")
    assert home.admin("set", "gc.grace", "10 minutes").status == 2
