"""The server's conversation: carries bytes between a service and its client."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING

if TYPE_CHECKING:
    from plumbing.heartbeat import Heartbeat
    from plumbing.service import Service
    from plumbing.transport.patience import Patience
    from plumbing.transport.pipe import PipeChannel


def converse(
    service: Service, channel: PipeChannel, patience: Patience, heartbeat: Heartbeat
) -> None:
    """Carry bytes until one side has had enough.

    patience: the channel's; it begins anew with each batch that is durable on either side, and
        where a client waits for what it watches.
    Raises ChannelError when the client is gone, silent or too slow.
    """
    durable = service.durable_batches
    while not service.finished:
        with heartbeat.working():
            chunk = service.output()
        if chunk is None:
            if service.lookout is not None:
                from plumbing.lookout import attend  # noqa: PLC0415 - for who watches alone

                patience.renew()
                if not attend(service, channel):
                    continue
            data = channel.receive()
            if not data:
                service.end()
                return
        else:
            channel.send(chunk)
            data = channel.take()
        if data:
            with heartbeat.working():
                service.receive(data)
        if service.durable_batches != durable:
            durable = service.durable_batches
            patience.renew()
