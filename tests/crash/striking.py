"""Where in a run an attack can be made, and making it at one such place."""

from collections.abc import Callable

from tests.crash.calls import (
    DESCRIPTORS,
    NAMES,
    O_ACCESS,
    O_CREAT,
    OPENS,
    READS,
    RECEIVES,
    SENDS,
    SIZES,
    SYNCS,
    WRITES,
    Call,
)
from tests.crash.case import Case
from tests.crash.disk import History
from tests.crash.site import Site
from tests.crash.tracing import Action, Go, Observer, read_memory

DATABASE = "database"
"""The kind of all calls by which a process talks to PostgreSQL."""

_DATABASE_SOCKET = "/.s.PGSQL."


class Eligible:
    """Tells at which calls what can be done."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._root = f"{site.folder}/"
        self._databases: set[str] = set()

    def kinds(self, call: Call) -> list[str]:
        """Return for which attacks a call counts."""
        if call.name == "connect" and _DATABASE_SOCKET in call.second:
            self._databases.add(call.path)
            return [call.role, "client+server", DATABASE, "ECONNREFUSED"]
        if call.path in self._databases and call.name in SENDS | RECEIVES:
            return self._of_database(call)
        within = call.path.startswith(self._root)
        talks = call.name in WRITES | READS | SENDS and call.path.startswith(("pipe:", "socket:"))
        found: list[str] = []
        if (within and call.changes) or talks or call.path == str(self._site.output):
            found += [call.role, "client+server"]
        if call.name in ("pwrite64", "write") and (within or talks) and call.arguments[2] > 1:
            found += ["torn", "short write"]
        makes = call.name in OPENS and within and bool(call.flags & O_CREAT)
        writes = call.name in OPENS and within and bool(call.flags & O_ACCESS)
        if within and (call.name in WRITES | SIZES | (NAMES - {"unlink", "rmdir"}) or makes):
            found += ["ENOSPC", "EDQUOT"]
        if within and call.name in WRITES | READS | SYNCS | SIZES | NAMES:
            found.append("EIO")
        if within and call.name in SYNCS:
            found.append("fsync")
        if (within and call.name in OPENS) or call.name in DESCRIPTORS:
            found.append("EMFILE")
        if within and (call.name in NAMES or writes):
            found += ["EROFS", "EACCES"]
        return found

    def _of_database(self, call: Call) -> list[str]:
        found = [call.role, "client+server", DATABASE, "ECONNRESET"]
        if call.name in RECEIVES:
            return [*found, "ETIMEDOUT"]
        return [*found, "EPIPE", *(["torn", "short write"] if call.arguments[2] > 1 else [])]


class Counting(Observer):
    """Counts the calls of each kind, while a history is written."""

    def __init__(self, site: Site, history: History | None) -> None:
        self._eligible = Eligible(site)
        self._history = history
        self.counts: dict[str, int] = {}

    def decide(self, call: Call) -> Action:
        for kind in self._eligible.kinds(call):
            self.counts[kind] = self.counts.get(kind, 0) + 1
        return Go() if self._history is None else self._history.decide(call)

    def returned(self, call: Call, result: int) -> None:
        if self._history is not None:
            self._history.returned(call, result)


class Striking(Observer):
    """Does something at one call of a kind, or from it on; keeps what the server says."""

    def __init__(self, site: Site, kind: str, total: int, case: Case) -> None:
        self._eligible = Eligible(site)
        self._kind = kind
        self._left = int(case.where * total)
        self._number = self._left + 1
        self._total = total
        self.action: Callable[[Call], Action] = lambda _: Go()
        self.lasting = False
        self.struck = False
        self.point = f"never at call {self._number} of {total}"
        self.wire = bytearray()

    def decide(self, call: Call) -> Action:
        if self._kind in self._eligible.kinds(call) and not (self.struck and not self.lasting):
            if self._left == 0:
                if not self.struck:
                    lasting = " and all after it" if self.lasting else ""
                    self.point = (
                        f"at call {self._number} of {self._total}{lasting}: "
                        f"{call.role} {call.name} {call.path.rpartition('/site/')[2]}"
                    )
                self.struck = True
                return self.action(call)
            self._left -= 1
        says = call.role == "server" and call.name == "write" and call.arguments[0] == 1
        return Go(watch=says)

    def returned(self, call: Call, result: int) -> None:
        says = call.role == "server" and call.name == "write" and call.arguments[0] == 1
        if says and result > 0:
            self.wire += read_memory(call.process, call.arguments[1], result)
