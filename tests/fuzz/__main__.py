"""Fuzzes all parsers for some time: with atheris where it is installed, by plain mutation else."""

import argparse
import hashlib
import importlib
import importlib.util
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).parent / "corpus"
NAMES = re.compile(r'^    "([a-z-]+)": Harness\(', re.MULTILINE)
MEMORY_MIB = 1024
INPUT_SECONDS = 10
INPUT_BYTES = 1 << 16
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
MUTATED = re.compile(r"inputs: (\d+)")


def main() -> int:
    """Run all harnesses, each in a process of its own, and say what came of it."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="for all harnesses together")
    parser.add_argument("--seed", type=int, default=None, help="of the mutation; printed if random")
    parser.add_argument("--plain", action="store_true", help="leave atheris aside")
    parser.add_argument("--only", help="one harness")
    parser.add_argument("--child", metavar="NAME", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    guided = not arguments.plain and importlib.util.find_spec("atheris") is not None
    seed = random.randrange(1 << 31) if arguments.seed is None else arguments.seed
    if arguments.child:
        run = _run_guided if guided else _run_plain
        return run(arguments.child, arguments.seconds, seed)
    source = Path(__file__).with_name("harnesses.py").read_text()
    names = [arguments.only] if arguments.only else NAMES.findall(source)
    print(f"{'atheris' if guided else 'plain mutation'}, seed {seed}")
    findings = 0
    for name in names:
        findings += _fuzz(name, arguments.seconds / len(names), seed, plain=not guided)
    return 1 if findings else 0


def _fuzz(name: str, seconds: float, seed: int, *, plain: bool) -> int:
    before = set((CORPUS / name).glob("*"))
    words = ["--child", name, "--seconds", str(seconds), "--seed", str(seed)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *words, *(["--plain"] if plain else [])],
        check=False,
        capture_output=True,
        text=True,
        errors="replace",
    )
    said = done.stdout + done.stderr
    count = (MUTATED if plain else EXECUTED).search(said)
    found = sorted(set((CORPUS / name).glob("*")) - before)
    inputs = int(count[1]) if count else 0
    print(f"{name:18} {inputs:>9} inputs {len(found)} findings", flush=True)
    for path in found:
        print(f"    {path}", flush=True)
    if done.returncode:
        print(f"    ended with {done.returncode}: {said[-2000:]}", flush=True)
    return len(found) or (1 if done.returncode else 0)


def _run_guided(name: str, seconds: float, seed: int) -> int:
    """Let libFuzzer look for inputs that reach new code; ends the process."""
    atheris: Any = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["msglog", "porcelain"]):
        from tests.fuzz.harnesses import HARNESSES, attempt  # noqa: PLC0415 - instrumented

    place = CORPUS / name
    place.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for number, seed_input in enumerate(HARNESSES[name].seeds):
            (Path(folder) / str(number)).write_bytes(seed_input)
        options = {
            "max_total_time": max(1, round(seconds)),
            "seed": seed or 1,
            "rss_limit_mb": MEMORY_MIB,
            "malloc_limit_mb": MEMORY_MIB // 2,
            "timeout": INPUT_SECONDS,
            "max_len": INPUT_BYTES,
            "print_final_stats": 1,
            "artifact_prefix": f"{place}/",
        }
        words = [f"-{option}={value}" for option, value in options.items()]
        atheris.Setup([sys.argv[0], *words, folder], lambda data: attempt(name, data))
        atheris.Fuzz()
    return 0


def _run_plain(name: str, seconds: float, seed: int) -> int:
    """Change inputs at random and without guidance; keep the first that is a finding."""
    from tests.fuzz.harnesses import HARNESSES, attempt  # noqa: PLC0415 - as above

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB << 20, MEMORY_MIB << 20))
    generator = random.Random(f"{seed} {name}")
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutate(generator, HARNESSES[name].seeds)
        count += 1
        started = time.monotonic()
        try:
            attempt(name, data)
        except BaseException:  # what it is, the replay says
            _keep(name, data)
            print(f"inputs: {count}", flush=True)
            raise
        if time.monotonic() - started > INPUT_SECONDS:
            _keep(name, data)
            print(f"inputs: {count}", flush=True)
            return 1
    print(f"inputs: {count}")
    return 0


def mutate(generator: random.Random, seeds: list[bytes]) -> bytes:
    """Return a seed with a few bytes changed, cut out, repeated, or taken from another seed."""
    data = bytearray(generator.choice(seeds))
    for _ in range(generator.randint(1, 6)):
        at = generator.randint(0, len(data))
        to = min(len(data), at + generator.randint(0, 12))
        match generator.randrange(6):
            case 0 if data:
                data[at % len(data)] ^= 1 << generator.randrange(8)
            case 1 if data:
                data[at % len(data)] = generator.choice(b"\x00\x01\x7f\x80\xff 0\n\r\"'=,")
            case 2:
                del data[at:to]
            case 3:
                data[at:at] = data[at:to] * generator.choice((1, 2, 50))
            case 4:
                data[at:at] = generator.randbytes(generator.randint(1, 8))
            case _:
                other = generator.choice(seeds)
                data[at:to] = other[generator.randint(0, len(other)) :][: generator.randint(0, 60)]
    return bytes(data[:INPUT_BYTES])


def _keep(name: str, data: bytes) -> None:
    place = CORPUS / name
    place.mkdir(parents=True, exist_ok=True)
    (place / f"crash-{hashlib.sha1(data, usedforsecurity=False).hexdigest()}").write_bytes(data)


if __name__ == "__main__":
    sys.exit(main())
