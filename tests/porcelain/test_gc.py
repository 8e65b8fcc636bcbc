"""`gc`: what it says, and the setting that it obeys."""

import pytest

from porcelain.tidying import shown_size
from tests.porcelain.conftest import CommandLine


def test_what_it_says(cli: CommandLine) -> None:
    for number in range(3):
        cli.ok("add", f"message {number}")
    assert cli.ok("gc", "--dry-run") == "Would remove nothing\n"
    assert cli.ok("gc").startswith("Removed nothing; ")
    assert cli.ok("gc", "-q") == ""
    (record,) = cli.run("gc", "--json").json()
    assert record["dry_run"] is False
    assert (record["messages"], record["nodes"], record["roots"], record["receipts"]) == (0,) * 4
    assert record["bytes"] <= record["bytes_before"]
    (record,) = cli.run("gc", "-n", "--json").json()
    assert record == {"dry_run": True, "messages": 0, "nodes": 0, "receipts": 0, "roots": 0}
    assert cli.ok("logs") == "main  3\n"


def test_the_grace_is_a_setting(cli: CommandLine) -> None:
    cli.ok("config", "set", "gc.grace", "36 hours")
    cli.ok("gc")
    for text in ("0h", "30 minutes", "never", "1 fortnight"):
        assert "gc.grace" in cli.fails(2, "config", "set", "gc.grace", text)
    (cli.folder / ".msglog" / "config.toml").write_text('[gc]\ngrace = "now"\n')
    assert "gc.grace" in cli.fails(7, "gc")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (2_345_678, "2.3 MB"),
        (7 * 10**12, "7000.0 GB"),
    ],
)
def test_sizes_are_said_by_powers_of_a_thousand(number: int, said: str) -> None:
    assert shown_size(number) == said
