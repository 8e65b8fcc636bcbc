"""The transport to a repository on this machine: its service, run in this process."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from plumbing.transport.channel import ChannelError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.service import Service


class LocalChannel:
    """A Channel to a service in memory, which answers at once, but to a client that watches.

    idle: waits for something to tell a client that watches, see `plumbing.lookout`.
    """

    def __init__(
        self,
        service: Service,
        *,
        close: Callable[[], None] = lambda: None,
        idle: Callable[[Service], object] | None = None,
    ) -> None:
        self._service = service
        self._close = close
        self._idle = _attend if idle is None else idle
        self._closed = False

    def send(self, data: bytes) -> None:
        """Hand data to the service."""
        if self._closed:
            raise ChannelError("the connection is closed")
        self._service.receive(data)

    def receive(self) -> bytes:
        """Return the service's next words; b"" when it waits for ours."""
        while not self._closed:
            data = self._service.output()
            if data is not None or self._service.lookout is None:
                return data or b""
            self._idle(self._service)
        return b""

    def close(self) -> None:
        """Let the service finish what was sent, and free the repository."""
        if not self._closed:
            self._closed = True
            self._service.conclude()
            self._close()

    def diagnosis(self) -> str:
        """Return "": a service writes no standard error."""
        return ""


def _attend(service: Service) -> None:
    from plumbing.lookout import attend  # noqa: PLC0415 - for who watches alone

    attend(service, None)
