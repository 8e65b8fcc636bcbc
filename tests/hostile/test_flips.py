"""A sample of flipped bits, and cut files: `make damage` tries many more. See `flips`."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.repository import Repository
from tests.hostile.flips import KINDS, Subject, bits, run, subject

SEED = 2026
REPAIRS = 8
FLIPS = {"plain": 25, "compressed": 15, "account": 12}


@pytest.fixture(scope="module", params=KINDS)
def made(request: pytest.FixtureRequest) -> Iterator[tuple[str, Subject]]:
    with subject(request.param) as one:
        yield request.param, one


def test_a_flipped_bit_that_changes_what_is_read_is_reported(made: tuple[str, Subject]) -> None:
    kind, one = made
    verdicts = [one.trial(bit) for bit in bits(one, SEED, FLIPS[kind])]
    assert set(verdicts) <= {"same", "refused", "reported"}, verdicts
    assert verdicts.count("reported") > FLIPS[kind] // 4


@pytest.mark.parametrize("part", [0.0, 0.01, 0.2, 0.5, 0.8, 0.97])
def test_a_file_that_was_cut_off_is_reported(made: tuple[str, Subject], part: float) -> None:
    _, one = made
    one.put(one.whole[: int(len(one.whole) * part)])
    assert one.check().status in (1, 5, 7)


@pytest.mark.parametrize("kind", ["plain", "compressed"])
def test_what_is_reported_is_mended_from_a_remote_that_has_all(kind: str) -> None:
    """The logs, their messages and the repository's id are what they were."""
    with subject(kind) as one:
        folder = one.file.parent
        remote = folder.parent.parent / "whole"
        environment = {"HOME": str(folder.parent)}
        assert run(("clone", str(folder.parent), str(remote), "-q"), environment).status == 0
        one.put(one.whole)
        before = _logs(folder)
        mended = 0
        for bit in bits(one, SEED + 1, 4 * REPAIRS):
            data = bytearray(one.whole)
            data[bit // 8] ^= 1 << bit % 8
            one.put(bytes(data))
            if one.check().status == 0:
                continue
            one.put(bytes(data))
            here = ("-C", str(folder.parent))
            done = run((*here, "verify", f"--repair={remote}"), environment)
            if done.status == 7:
                assert "newer msglog" in done.error, (bit, done)  # one bit from a format of ours
                continue
            assert done.status == 0, (bit, done)
            assert _logs(folder) == before, (bit, done)
            assert one.check().status == 0, (bit, done)
            mended += 1
            for rest in folder.glob("store.db?*"):
                rest.unlink()
            if mended == REPAIRS:
                break
        assert mended == REPAIRS


def _logs(folder: Path) -> object:
    repository = Repository.open(folder)
    try:
        logs = repository.logs()
        messages = [list(repository.messages(repository.keys(log.root))) for log in logs]
        return logs, messages, repository.store.identity
    finally:
        repository.close()
