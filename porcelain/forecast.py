"""Saying what a pull or a push would carry, without carrying it: `--dry-run`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.walk import count, difference
from msglog.repository import overlay
from plumbing.navigation import find_common_ground

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.wire.events import AdvertisedRef
    from plumbing.session import Session
    from porcelain.exchange import Exchange


def forecast(one: Exchange, logs: Sequence[str], *, take: bool, give: bool) -> None:
    """Compare our logs with the remote's by their indexes alone, and print a line for each."""
    session = one.open()
    listed = {ref.log: ref for ref in session.list_refs()}
    ours = [log.name for log in one.repository.logs()]
    for log in list(logs) or sorted({*(listed if take else ()), *(ours if give else ())}):
        _forecast_one(one, session, log, listed.get(log), take=take, give=give)


def _forecast_one(
    one: Exchange,
    session: Session,
    log: str,
    listed: AdvertisedRef | None,
    *,
    take: bool,
    give: bool,
) -> None:
    tracking = one.tracking(log)
    local = tracking.local()
    lacking, surplus = 0, local.count
    if listed is not None and listed.root == local.root:
        lacking = surplus = 0
    elif listed is not None and listed.count:
        ground = find_common_ground(session, tracking, local.root, {}, listed.root)
        read = overlay(one.repository.store.read_nodes, ground.made)
        surplus = sum(1 for _ in difference(read, ground.common, local.root))
        lacking = max(listed.count - count(read, ground.common), 0)
    fields: dict[str, object] = {}
    texts = []
    if take:
        fields["to_pull"] = lacking
        texts.append(f"{lacking} to pull")
    if give:
        fields["to_push"] = surplus
        texts.append(f"{surplus} to push")
    one.report(log, fields, ", ".join(texts))
