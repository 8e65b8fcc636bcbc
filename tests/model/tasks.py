"""Work that is held up in the middle while something else happens: one runs at a time."""

import threading
from collections.abc import Callable

FOR_EVER = 1 << 60


class Task:
    """Work in a thread of its own that runs only while it is advanced: who runs is never a race.

    The work calls `pause` wherever it could be held up.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._ours = threading.Lock()
        self._theirs = threading.Lock()
        self._ours.acquire()
        self._theirs.acquire()
        self._left = 0
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        self.done = False

    def advance(self, points: int) -> None:
        """Run it for some points, or to its end; raises what it raises."""
        self._left = points
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, daemon=True)
            self._thread.start()
        else:
            self._ours.release()
        self._theirs.acquire()
        if self.done:
            self._thread.join()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            self._failure = error
        finally:
            self.done = True
            self._theirs.release()

    def pause(self) -> None:
        self._left -= 1
        if self._left <= 0:
            self._theirs.release()
            self._ours.acquire()
