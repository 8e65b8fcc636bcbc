"""What a disk holds after a power loss: which of the changes under way it has, and which it has not.

The strictest view of what POSIX promises. Only fsync makes durable: of a file what was written to
it and its size, of a folder the names in it; not of a file its name. All else may have reached the
disk or not, one change without the others, in any order, and of what was written any of its sectors.
"""

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.crash.calls import (
    NAMES,
    O_APPEND,
    O_CREAT,
    O_TRUNC,
    OPENS,
    SIZES,
    SYNCS,
    WRITES,
    Call,
)
from tests.crash.site import Site
from tests.crash.tracing import Go, Observer, read_memory

SECTOR = 512
WAYS = ("nothing", "torn", "some", "names", "data", "all")
"""How much of what was not synced is on the disk: nothing; all up to some change, of which half;
any of them, in part; all names and sizes, and no data; data and no names; all."""


@dataclass(frozen=True, slots=True)
class Change:
    """Something that happened: to a node (a file or folder), or what a role has said.

    kind: `write`, `size`, `enter` (a name in a folder is given to a node), `leave` (a name goes),
    `move`, `sync` or `said`. node: what it is about; for names the folder.
    """

    kind: str
    machine: str
    node: int
    at: int = 0
    data: bytes = b""
    name: str = ""
    target: int = 0
    old_folder: int = 0
    old_name: str = ""


@dataclass(slots=True)
class _Node:
    folder: bool
    data: bytearray
    names: dict[str, int]


class History(Observer):
    """Writes down what a command does to the folder of a site, and what it says."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._root = str(site.folder)
        self._nodes: dict[int, int] = {}
        self._start: list[_Node] = []
        self._made_by: dict[tuple[int, str], bool] = {}
        self.changes: list[Change] = []
        self._begin(self._root)

    def _begin(self, path: str) -> int:
        node = self._make(path)
        kept = self._start[node]
        if kept.folder:
            for entry in sorted(os.listdir(path)):
                kept.names[entry] = self._begin(f"{path}/{entry}")
        else:
            kept.data += Path(path).read_bytes()
        return node

    def _make(self, path: str) -> int:
        number = len(self._start)
        self._start.append(_Node(os.path.isdir(path), bytearray(), {}))
        self._nodes[os.stat(path).st_ino] = number
        return number

    # Observing

    def _within(self, path: str) -> bool:
        return path.startswith(f"{self._root}/") or path == self._root

    def decide(self, call: Call) -> Go:
        name, path = call.name, call.path
        if call.name in WRITES and not self._within(path):
            return Go(watch=True)
        if not self._within(path) or not call.changes:
            return Go()
        if name in OPENS:
            self._made_by[call.process, path] = not os.path.lexists(path)
        return Go(watch=True)

    def returned(self, call: Call, result: int) -> None:
        if result < 0:
            return
        if call.name in WRITES and not self._within(call.path):
            self._said(call, result)
        elif call.name in OPENS:
            self._opened(call)
        elif call.name in WRITES:
            self._wrote(call, result)
        elif call.name in SIZES:
            node = self._of_descriptor(call)
            if call.name != "ftruncate":
                raise NotImplementedError(call.name)
            self._note(Change("size", self._machine(call.path), node, call.arguments[1]))
        elif call.name in SYNCS:
            self._note(Change("sync", self._machine(call.path), self._of_descriptor(call)))
        elif call.name in NAMES:
            self._named(call)

    def _machine(self, path: str) -> str:
        return self._site.machine(path)

    def _note(self, change: Change) -> None:
        self.changes.append(change)

    def _said(self, call: Call, size: int) -> None:
        if call.path == str(self._site.output):
            self._note(Change("said", "client", 0, data=_written(call, size), name="out"))
        elif (
            call.role == "server"
            and call.path.startswith(("pipe:", "socket:"))
            and call.arguments[0] == 1
        ):
            self._note(Change("said", "server", 0, data=_written(call, size), name="wire"))

    def _opened(self, call: Call) -> None:
        made = self._made_by.pop((call.process, call.path), False)
        if made and call.flags & O_CREAT:
            self._enter(call.path, self._make(call.path))
        elif call.flags & O_TRUNC:
            node = self._nodes[os.stat(call.path).st_ino]
            self._note(Change("size", self._machine(call.path), node, 0))

    def _enter(self, path: str, node: int) -> None:
        folder = self._folder(path)
        name = os.path.basename(path)
        self._note(Change("enter", self._machine(path), folder, name=name, target=node))

    def _folder(self, path: str) -> int:
        return self._nodes[os.stat(os.path.dirname(path)).st_ino]

    def _of_descriptor(self, call: Call) -> int:
        number = os.stat(f"/proc/{call.process}/fd/{call.arguments[0]}").st_ino
        return self._nodes[number]

    def _wrote(self, call: Call, size: int) -> None:
        if call.name == "pwrite64":
            at = call.arguments[3]
        elif call.name == "write":
            details = Path(f"/proc/{call.process}/fdinfo/{call.arguments[0]}").read_text()
            values = dict(line.split(":\t", 1) for line in details.splitlines() if ":\t" in line)
            at = int(values["pos"]) - size
            assert not int(values["flags"], 8) & O_APPEND
        else:
            raise NotImplementedError(call.name)
        node = self._of_descriptor(call)
        self._note(Change("write", self._machine(call.path), node, at, _written(call, size)))

    def _named(self, call: Call) -> None:
        machine, name = self._machine(call.path), os.path.basename(call.path)
        if call.name.startswith("mkdir"):
            self._enter(call.path, self._make(call.path))
        elif call.name.startswith("link"):
            self._enter(call.second, self._nodes[os.stat(call.second).st_ino])
        elif call.name.startswith("rename"):
            moved = self._nodes[os.stat(call.second).st_ino]
            self._note(
                Change(
                    "move",
                    machine,
                    self._folder(call.second),
                    name=os.path.basename(call.second),
                    target=moved,
                    old_folder=self._folder(call.path),
                    old_name=name,
                )
            )
        elif call.name.startswith(("unlink", "rmdir")):
            self._note(Change("leave", machine, self._folder(call.path), name=name))
        else:
            raise NotImplementedError(call.name)

    # Rebuilding

    def said(self, count: int, name: str) -> bytes:
        """Return what was said by the first changes: `out` by the client, `wire` by the server."""
        parts = [
            one.data for one in self.changes[:count] if one.kind == "said" and one.name == name
        ]
        return b"".join(parts)

    def rebuild(self, count: int, way: str, lost: frozenset[str], chance: random.Random) -> None:
        """Make the folder what the disks hold when power fails after so many changes.

        lost: whose power; the other machine has all that it wrote.
        """
        happened = self.changes[:count]
        pending = self._pending(happened, lost)
        nodes = [_Node(one.folder, bytearray(one.data), dict(one.names)) for one in self._start]
        chosen = dict(_choose(pending, happened, way, chance))
        for at, change in enumerate(happened):
            if at not in pending:
                _apply(nodes, change, None)
            elif at in chosen:
                _apply(nodes, change, chosen[at])
        for path in sorted(self._site.folder.rglob("*"), reverse=True):
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink()
        _write(nodes, 0, self._root)

    def _pending(self, happened: list[Change], lost: frozenset[str]) -> set[int]:
        """Return which changes no later fsync has made durable."""
        pending: set[int] = set()
        for at, change in enumerate(happened):
            if change.machine not in lost or change.kind == "said":
                continue
            if change.kind != "sync":
                pending.add(at)
                continue
            for earlier in list(pending):
                other = happened[earlier]
                if change.node in (other.node, other.old_folder or other.node):
                    pending.discard(earlier)
        return pending


def _choose(
    pending: set[int], happened: list[Change], way: str, chance: random.Random
) -> Iterator[tuple[int, random.Random | None]]:
    """Yield which of the changes are on the disk; with a chance by which they are torn."""
    order = sorted(pending)
    last = chance.choice(order) if order else 0
    for at in order:
        is_name = happened[at].kind in ("enter", "leave", "move")
        match way:
            case "torn":
                if at <= last:
                    yield at, chance if at == last else None
            case "some":
                if chance.random() < 0.5:
                    yield at, chance if chance.random() < 0.5 else None
            case "names":
                if is_name or happened[at].kind == "size":
                    yield at, None
                elif happened[at].kind == "write":
                    yield at, _Nothing()
            case "data":
                if not is_name:
                    yield at, None
            case "all":
                yield at, None


class _Nothing(random.Random):
    """A chance by which no sector reaches the disk, and only the size of the file does."""

    def random(self) -> float:
        return 1.0


def _apply(nodes: list[_Node], change: Change, torn: random.Random | None) -> None:
    node = nodes[change.node]
    match change.kind:
        case "write":
            _put(node.data, change, torn)
        case "size":
            del node.data[change.at :]
            node.data.extend(bytes(change.at - len(node.data)))
        case "enter":
            node.names[change.name] = change.target
        case "leave":
            node.names.pop(change.name, None)
        case "move":
            nodes[change.old_folder].names.pop(change.old_name, None)
            node.names[change.name] = change.target


def _put(data: bytearray, change: Change, torn: random.Random | None) -> None:
    end = change.at + len(change.data)
    if len(data) < end:
        data.extend(bytes(end - len(data)))
    start = change.at
    while start < end:
        stop = min(end, (start // SECTOR + 1) * SECTOR)
        if torn is None or torn.random() < 0.5:
            data[start:stop] = change.data[start - change.at : stop - change.at]
        start = stop


def _write(nodes: list[_Node], number: int, path: str) -> None:
    for name, below in nodes[number].names.items():
        inner = f"{path}/{name}"
        if nodes[below].folder:
            os.mkdir(inner, 0o700)
            _write(nodes, below, inner)
        else:
            with open(os.open(inner, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as file:
                file.write(nodes[below].data)


def _written(call: Call, size: int) -> bytes:
    return read_memory(call.process, call.arguments[1], size)
