from pathlib import Path

import pytest

from tests.bench.corpus import entries, vocabulary
from tests.bench.transfers_in_and_out import measure


def test_each_format_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = vocabulary(["the upstream release of the quaternion and its compiler"], "a sentence")
    measure(tmp_path, lambda: entries(words, 20, 1), 20)
    said = capsys.readouterr().out
    for name in (
        "export as jsonl", "export as csv", "export as md", "import of JSON Lines ",
        "import of JSON Lines, once more", "import of JSON Lines, --keep-going",
        "import of syslog", "import of journal, JSON", "import of journal, export",
    ):  # fmt: skip
        assert f"{name:<32}" in said
