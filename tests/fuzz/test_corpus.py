"""What the fuzzing once found stays found: seeds and kept inputs, given to every parser again."""

import contextlib
import random
from pathlib import Path

import pytest

from msglog.errors import MsglogError
from tests.fuzz.__main__ import CORPUS, mutate
from tests.fuzz.harnesses import HARNESSES, attempt


def kept(name: str) -> list[Path]:
    return sorted(path for path in (CORPUS / name).glob("*") if path.is_file())


@pytest.mark.parametrize("name", HARNESSES)
def test_seeds_and_kept_inputs_are_no_findings(name: str) -> None:
    for seed in HARNESSES[name].seeds:
        attempt(name, seed)
    for path in kept(name):
        attempt(name, path.read_bytes())


@pytest.mark.parametrize("name", HARNESSES)
def test_some_seed_is_accepted(name: str) -> None:
    accepted = 0
    for seed in HARNESSES[name].seeds:
        with contextlib.suppress(MsglogError):
            HARNESSES[name].run(seed)
            accepted += 1
    assert accepted


@pytest.mark.parametrize("name", HARNESSES)
def test_a_few_mutations_are_no_findings(name: str) -> None:
    generator = random.Random(name)
    for _ in range(30):
        attempt(name, mutate(generator, HARNESSES[name].seeds))


def test_every_kept_input_belongs_to_a_parser() -> None:
    assert {path.name for path in CORPUS.glob("*") if path.is_dir()} <= set(HARNESSES)


def test_a_finding_is_one() -> None:
    with pytest.raises(KeyError):
        attempt("no such harness", b"")
