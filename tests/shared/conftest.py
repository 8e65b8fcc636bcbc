"""The library that all tests of shared disks preload, compiled once."""

from pathlib import Path

import pytest

from tests.shared.disk import Machine, build


@pytest.fixture(scope="session")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("library"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def good(library: Path, home: Path) -> Machine:
    """A machine on which locks work."""
    return Machine(library, home)
