"""Writes where the time of the main operations goes: `python -m tests.bench.profile [MESSAGES]`.

For push, pull, initial push, clone and list, on the client's and the server's side: the functions that took
most time of their own, and what importing took, into docs/performance/profile-OPERATION.txt.
"""

import io
import pstats
import random
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.command import Command, Commands, run
from tests.bench.corpus import body, entries, machine_vocabulary
from tests.bench.machine import describe
from tests.bench.msglog import ROOT, SCRIPT, Msglog, compile_all
from tests.bench.site import WATCHED, Site, running_site

SIZE = 100_000
TOP = 25
FOLDER = ROOT / "docs" / "performance"
STARTER = Path(__file__).with_name("profiled.py")
PLACE = "place"
SIDES = ("client", "server")
MACHINE = ("processor", "cores", "system", "Python", "SQLite", "msglog")
_IMPORT = re.compile(r"import time:\s*(\d+) \|\s*(\d+) \|( *)(\S+)")


@dataclass(frozen=True, slots=True)
class Operation:
    """What is profiled. before: commands that make ready for it each time, outside of the profile."""

    name: str
    shown: str
    commands: Commands
    before: Commands = ()
    served: bool = True


def main(words: list[str]) -> int:
    size = int(words[0]) if words else SIZE
    compile_all()
    vocabulary = machine_vocabulary()
    with TemporaryDirectory(prefix="msglog-profile-", dir="/var/tmp") as name:
        folder = Path(name)
        with running_site(folder) as site:
            peer = Msglog(site, folder / str(size) / Msglog.name)
            peer.fill(entries(vocabulary, size, 1))
            for place in (PLACE, "empty", "empty2"):
                peer.make_server(place)
            run(peer.push_all("default", PLACE)[0])
            peer.connect(PLACE)
            run(peer.pull("default")[0])
            adding = peer.add(body(vocabulary, random.Random(1)))
            operations = (
                Operation(
                    "push", "msglog push origin, one new message", peer.push(WATCHED), adding
                ),
                Operation("pull", "msglog pull origin, nothing new", peer.pull(WATCHED)),
                Operation("list", "msglog list, all", peer.list_all(), served=False),
            )
            for operation in operations:
                write(site, operation, operation, size, folder)
            initial = [peer.push_all(WATCHED, place) for place in ("empty", "empty2")]
            cloning = [peer.clone(WATCHED, PLACE, folder / f"clone{number}") for number in (1, 2)]
            for label, shown, (first, second) in (
                ("initial-push", "msglog push to an empty repository", initial),
                ("clone", "msglog clone", cloning),
            ):
                pair = [Operation(label, shown, commands) for commands in (first, second)]
                write(site, pair[0], pair[1], size, folder)
    return 0


def write(site: Site, first: Operation, second: Operation, size: int, folder: Path) -> None:
    """Profile an operation, then time its imports in a run of its own, and write both down."""
    machine = describe(folder)
    about = ", ".join(f"{name} {machine[name]}" for name in MACHINE if name in machine)
    parts = [
        f"{first.shown}; {size:,} messages\n`make profiles` (cProfile, every thread; it makes calls dearer)\n{about}\n"
    ]
    files = {side: folder / f"{side}.profile" for side in SIDES}
    serve(site, profiling(files["server"]))
    started(first, profiling(files["client"]))
    sides = SIDES if first.served else SIDES[:1]
    parts += [f"{side}, by own time\n\n{functions(files[side])}" for side in sides]
    said = {side: folder / f"{side}.imports" for side in SIDES}
    serve(site, importing(said["server"]))
    started(second, importing(said["client"]))
    parts += [f"{side}, imports\n\n{imports(said[side].read_text())}" for side in sides]
    heading = "\n" + "-" * 80 + "\n"
    (FOLDER / f"profile-{first.name}.txt").write_text(heading.join(parts))


@dataclass(frozen=True, slots=True)
class Starting:
    """How a script is started instead: words between the interpreter and it, and where its complaints go."""

    words: str
    file: Path | None = None

    def line(self, command: str, interpreter: str) -> str:
        """Return a shell's command line with the interpreter started this way."""
        changed = command.replace(interpreter, f"{interpreter} {self.words}", 1)
        return changed if self.file is None else f"{changed} 2>{self.file}"


def profiling(file: Path) -> Starting:
    return Starting(f"-I {STARTER} {file}")


def importing(file: Path) -> Starting:
    return Starting("-X importtime", file)


def started(operation: Operation, starting: Starting) -> None:
    """Run an operation's commands the other way."""
    for command in operation.before:
        run(command)
    for command in operation.commands:
        line = starting.line(f"exec {sys.executable} {' '.join(command.words)}", sys.executable)
        run(Command(("sh", "-c", line), command.folder, command.environment))


def serve(site: Site, starting: Starting) -> None:
    """Have the watched sshd start the server's program the other way."""
    plain = site.sshds["default"].authorized_keys.read_text().splitlines()
    lines = []
    for line in plain:
        options, quote, rest = line.partition('command="')
        command, end, key = rest.partition('"')
        if not quote:
            continue
        interpreter = command.partition(" ")[0]
        isolated = command.replace(f"{interpreter} -I", interpreter, 1)
        lines.append(f"{options}{quote}{starting.line(isolated, interpreter)}{end}{key}\n")
    site.sshds[WATCHED].authorized_keys.write_text("".join(lines))


def functions(file: Path) -> str:
    """Return the functions of a profile that took most time of their own, as text without paths."""
    text = io.StringIO()
    pstats.Stats(str(file), stream=text).sort_stats("tottime").print_stats(TOP)
    lines = text.getvalue().splitlines()
    kept = [line for line in lines if line.strip() and str(file) not in line]
    return "\n".join(shorten(line).rstrip() for line in kept) + "\n"


def shorten(text: str) -> str:
    """Replace the paths of files by those of modules, as from the folder that they are imported from."""
    for folder in sorted(import_folders(), key=len, reverse=True):
        text = text.replace(f"{folder}/", "")
    return re.sub(r"(?<![\w.])/\S*/", "", text)


def import_folders() -> set[str]:
    found = {*sysconfig.get_paths().values(), str(ROOT), str(SCRIPT.parent), *sys.path}
    return {folder for folder in found if folder.startswith("/")}


def imports(text: str) -> str:
    """Return what -X importtime told: the sum, and the modules that took most time of their own."""
    found = [(int(line[1]), int(line[2]), line[4]) for line in _IMPORT.finditer(text)]
    if not found:
        return "nothing was told\n"
    total = sum(own for own, *_ in found)
    lines = [
        f"{len(found)} modules, {total / 1000:.1f} ms",
        "",
        "  own ms  with what it imports  module",
    ]
    for own, whole, name in sorted(found, reverse=True)[:TOP]:
        lines.append(f"{own / 1000:8.1f}  {whole / 1000:21.1f}  {name}")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
