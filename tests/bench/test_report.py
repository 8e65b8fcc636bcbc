"""The tables that are made from a result."""

from pathlib import Path

import pytest

from tests.bench import curves, rows
from tests.bench.plot import curve, ratios, scale_plots
from tests.bench.report import (
    ReportError,
    comparison_table,
    figure_table,
    machine_table,
    quantity,
    replace,
    scale_table,
    tables,
    target_table,
)
from tests.bench.result import Result, read


@pytest.fixture
def result() -> Result:
    made = Result(machine={"cores": "2"}, notes=["fossil: not installed"])
    for ours, theirs in ((0.1, 0.2), (0.9, 3.0), (0.2, 0.5)):
        made.append(rows.PULL, "git", 10_000, "s", theirs)
        made.append(rows.PULL, "msglog", 10_000, "s", ours)
    for size, seconds in ((10_000, 0.2), (1_000_000, 0.3)):
        made.append(rows.GROWTH, "msglog", size, "s", seconds)
    made.append(rows.MEMORY_PUSH, "msglog", 1_000_000, "B", 65 << 20)
    made.append(rows.TRIPS_PULL, "msglog", 10_000, "", 1)
    return made


def lines_of(table: str, row: str) -> list[str]:
    return [line for line in table.splitlines() if line.startswith(f"| {row}")]


def test_each_target_says_what_was_reached(result: Result) -> None:
    table = target_table(result)
    assert "| no-op pull, msglog / git | 10,000 | <= 0.60 | 0.40 (0.30 to 0.50) | met |" in table
    assert "| 1,000,000 | <= 1.10 | 1.50 | missed |" in table
    assert "| peak memory, push | 1,000,000 | <= 64 MiB | 65 MiB | missed |" in table
    assert "| round trips, no-op pull | 10,000 | <= 1 | 1 | met |" in table
    assert lines_of(table, rows.CLONE)[0].endswith("| <= 0.50 | not measured | |")


def test_a_log_of_one_size_does_not_tell_how_it_grows() -> None:
    made = Result()
    made.append(rows.GROWTH, "msglog", 1_000_000, "s", 0.3)
    assert "not measured" in lines_of(target_table(made), rows.GROWTH)[0]


def test_each_figure_has_its_line(result: Result) -> None:
    git, ours = lines_of(figure_table(result), rows.PULL)
    assert git == "| no-op pull | 10,000 | git | 500 ms | 200 ms | 3 s | 3 |  |"
    assert ours.endswith("| msglog | 200 ms | 100 ms | 900 ms | 3 | 0.40 (0.30 to 0.50) |")


def test_a_program_of_the_first_turns_alone_pairs_with_these(result: Result) -> None:
    result.append(rows.PULL, "fossil", 10_000, "s", 0.3)
    assert lines_of(figure_table(result), rows.PULL)[2].endswith("| 1 | 1.50 |")


def test_what_is_not_there_is_said(result: Result) -> None:
    assert "- fossil: not installed" in machine_table(result)


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (0.0035, "s", "3.5 ms"),
        (2.774, "s", "2.77 s"),
        (0.0001, "s", "100 us"),
        (2.5, "/s", "2.5 /s"),
        (0.25, "/s", "0.25 /s"),
        (68157440, "B", "65 MiB"),
        (1500, "B", "1.46 KiB"),
        (12, "B", "12 B"),
        (3, "", "3"),
    ],
)
def test_quantities(value: float, unit: str, shown: str) -> None:
    assert quantity(value, unit) == shown


def test_only_what_is_between_the_markers_is_replaced() -> None:
    text = "a\n<!-- x -->\nold\n<!-- /x -->\nb\n"
    assert replace(text, "x", r"\1 new") == "a\n<!-- x -->\n\\1 new\n<!-- /x -->\nb\n"
    with pytest.raises(ReportError, match="0 pairs of markers for y"):
        replace(text, "y", "new")


def test_a_result_comes_back_from_its_file(result: Result, tmp_path: Path) -> None:
    result.write(tmp_path / "new" / "result.json")
    assert read(tmp_path / "new" / "result.json") == result


def test_what_is_plotted(result: Result) -> None:
    assert ratios(result) == [("no-op pull, 10,000", 0.4)]
    assert curve(result, rows.GROWTH) == {"msglog": [(10_000, 0.2), (1_000_000, 0.3)]}


def test_the_pages_have_every_marker(result: Result) -> None:
    docs = Path(__file__).parents[2] / "docs"
    page = (docs / "performance.md").read_text()
    for name, table in tables(result).items():
        page = replace(page, name, table)
    replace((docs / "performance" / "figures.md").read_text(), "figures", "new")


def test_programs_stand_side_by_side(result: Result) -> None:
    result.append(rows.PULL, "muchsync", 10_000, "s", 0.7)
    table = comparison_table(result, ["pull", "memory"], "messages").splitlines()
    assert table[0] == "| row | messages | msglog | git | muchsync | msglog / git |"
    assert table[2] == "| no-op pull | 10,000 | 200 ms | 500 ms | 700 ms | 0.40 (0.30 to 0.50) |"
    assert table[3] == "| peak memory, push | 1,000,000 | 65 MiB |  |  |  |"
    assert comparison_table(result, ["load"], "clients") == "Not measured."


def test_a_count_may_be_of_nothing() -> None:
    made = Result()
    for name in ("git", "msglog"):
        made.append(rows.LOAD_FAILURES, name, 8, "", 0)
    assert comparison_table(made, ["load"], "clients").endswith("| 8 | 0 | 0 |  |")
    assert "| load: failures | 8 | <= 0 | 0 | met |" in target_table(made)


def test_each_operation_is_held_against_what_it_may_cost() -> None:
    made = Result()
    for size in (10**4, 10**5, 10**6, 10**7):
        made.append(curves.ADD.row(curves.LIBRARY), "msglog", size, "s", 0.001)
        made.append(curves.ADD.row(curves.LIBRARY), "msglog", size, "s", 0.5)
        made.append(curves.VERIFY.row(curves.COMMAND), "msglog", size, "s", size**1.5 / 1e6)
    lines = scale_table(made).splitlines()
    assert lines[2].startswith("| add of 1 | O(log n) | n^0.15 | n^0.00 | met |")
    assert "1 ms to 1 ms, n^0.00" in lines[2]
    assert lines[2].count("n^") == 3
    (verify,) = [line for line in lines if line.startswith("| verify")]
    assert verify.startswith("| verify | O(n) | n^1.10 | n^1.50 | missed |")
    table = [line for line in lines if line.startswith("|")]
    assert len({line.count("|") for line in table}) == 1
    assert lines[-2:] == ["", "![time](performance/scale-time.svg)"]
    assert "| gc | O(n) | | not measured |" in scale_table(made)
    assert scale_plots(made)["time"][2]["add of 1, in process"][0] == (10**4, 0.001)


def test_a_size_that_an_expectation_is_not_about_does_not_count() -> None:
    made = Result()
    operation = curves.SCATTERED[100]
    for size, seconds in ((10**3, 1e-9), (10**4, 0.1), (10**5, 0.1), (10**6, 0.1)):
        made.append(operation.row(curves.LIBRARY), "msglog", size, "s", seconds)
    (line,) = [line for line in scale_table(made).splitlines() if operation.name in line]
    assert "| n^0.00 | met |" in line
