import pytest

from tests.bench import watching


def test_all_that_is_recorded_is_measured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "ROUNDS", 2)
    monkeypatch.setattr(watching, "WATCHERS", 3)
    monkeypatch.setattr(watching, "REPEATS", 5)
    monkeypatch.setattr("time.sleep", lambda _: None)
    watching.main(300, 1.0)
    said = capsys.readouterr().out
    for words in (
        "a writer, nobody ever / nobody / 3 waiting: ", "its line, remote: ", "its line, here: ",
        "waiting, server: ", "waiting, client: ", "waiting, here: ", "300 messages in one commit",
        "the last line, remote: ", "the last line, --pull: ", "the last line, here: ",
    ):  # fmt: skip
        assert words in said
