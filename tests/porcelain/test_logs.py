import pytest

from tests.porcelain.conftest import CommandLine


def test_logs_are_made_listed_renamed_and_deleted(cli: CommandLine) -> None:
    assert cli.ok("logs", "new", "team/ops") == "Made team/ops\n"
    cli.ok("add", "x", "--log", "team/ops")
    assert cli.ok("logs") == "main      0\nteam/ops  1\n"
    assert cli.ok("logs", "rename", "team/ops", "ops") == "Renamed to ops\n"
    assert "1 message" in cli.fails(2, "logs", "delete", "ops")
    assert cli.ok("logs", "delete", "ops", "--force") == "Deleted ops\n"
    assert [(line["log"], line["count"]) for line in cli.run("logs", "--json").json()] == [
        ("main", 0)
    ]


@pytest.mark.parametrize(
    "arguments",
    [
        ["new", "main"], ["new", "A"], ["new", "a/b/c/d/e"], ["new", "a\n"], ["new", ""],
        ["new", "x" * 65], ["rename", "none", "x"], ["rename", "main", "main"],
        ["rename", "main", "../x"], ["delete", "none"], ["new"], ["nonsense"],
    ],
)  # fmt: skip
def test_what_is_refused(cli: CommandLine, arguments: list[str]) -> None:
    cli.fails(2, "logs", *arguments)
    assert cli.ok("logs") == "main  0\n"
