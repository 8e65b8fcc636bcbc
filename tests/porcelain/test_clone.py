import pytest

from plumbing.transport.channel import ConnectError
from porcelain import exchange
from tests.porcelain.conftest import CommandLine


@pytest.fixture
def unknown_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ConnectError("the host srv is not known", why="Name or service not known")

    monkeypatch.setattr(exchange, "open_session", fail)


@pytest.mark.usefixtures("unknown_host")
def test_a_folder_that_is_taken_for_a_host(empty: CommandLine) -> None:
    said = "the host srv is not known (Name or service not known)."
    assert empty.fails(4, "clone", "srv", "copy") == said
    assert empty.fails(4, "clone", "srv") == said  # of which the clone itself makes a folder
    empty.ok("init", "-q", "srv")
    assert empty.fails(4, "clone", "ann@srv", "copy") == said
    hint = "For the folder say `msglog clone ./srv`."
    assert empty.fails(4, "clone", "srv", "copy") == f"{said} {hint}"
    assert sorted(path.name for path in empty.folder.iterdir()) == ["srv"]
