"""A command line to measure, and its wall clock."""

import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import TypeAlias


class CommandError(Exception):
    """A measured command failed; its figure would mean nothing."""


@dataclass(frozen=True, slots=True)
class Command:
    """One process to start. environment: the whole of it, nothing is inherited.

    failure: what it says when it failed although its exit status is 0.
    """

    words: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    failure: str = ""


Commands: TypeAlias = Sequence[Command]
"""What is measured as one: started one after the other, as a user types them."""


def timed(commands: Commands) -> float:
    """Run the commands with their output thrown away; return seconds. Raises CommandError."""
    begun = time.perf_counter()
    for command in commands:
        run(command)
    return time.perf_counter() - begun


def run(command: Command, *, stdin: Iterable[bytes] = ()) -> None:
    """Run to the end, feeding standard input; raises CommandError with the last line of its complaint."""
    with TemporaryFile() as complaint:
        process = subprocess.Popen(
            command.words,
            cwd=command.folder,
            env=command.environment,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=complaint if command.failure else subprocess.DEVNULL,
            stderr=complaint,
        )
        if process.stdin is not None:
            try:
                for chunk in stdin:
                    process.stdin.write(chunk)
                process.stdin.close()
            except BrokenPipeError:
                pass  # its exit status says why
        status = process.wait()
        complaint.seek(0)
        said = complaint.read().decode("utf-8", "replace").strip()
        if status or (command.failure and command.failure in said):
            last = (said.splitlines() or [""])[-1]
            words = " ".join(command.words)[:200]
            raise CommandError(f"{words}: exit status {status}: {last}")


def output(*words: str) -> str:
    """Return what a program prints, such as its version; empty if there is no such program."""
    try:
        done = subprocess.run(words, capture_output=True, check=False, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return (done.stdout or done.stderr).decode("utf-8", "replace").strip()
