"""Saying what a pull or a push would carry, without carrying it: `--dry-run`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.index.walk import count, difference
from msglog.key import FIRST_KEY
from msglog.repository import overlay
from msglog.store.store import Ref
from plumbing.navigation import ask_for_view, find_common_ground
from plumbing.tracking import NOTHING_KNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.wire.events import AdvertisedRef
    from plumbing.session import Session
    from plumbing.tracking import Tracking
    from porcelain.exchange import Exchange


def forecast(one: Exchange, logs: Sequence[str], *, take: bool, give: bool) -> None:
    """Compare our logs with the remote's by their indexes alone, and print a line for each."""
    session = one.open()
    listed = {ref.log: ref for ref in session.list_refs()}
    ours = [log.name for log in one.repository.logs()]
    known = {*(listed if take else ()), *(ours if give else ())}
    names, meant = one.chosen(logs)
    others = [] if meant is None else sorted(filter(meant, known))
    for log in dict.fromkeys([*names, *others]):
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
    there = NOTHING_KNOWN if listed is None else Ref(listed.root, listed.count)
    if tracking.view == FIRST_KEY:
        lacking, surplus = _compare(session, tracking, there)
    else:
        seen = ask_for_view(session, log, tracking.view) if there.count else there
        lacking, surplus = _compare(session, tracking, seen)
        if give:
            surplus += _compare(session, tracking.older(), there)[1]
    fields: dict[str, object] = {}
    texts = []
    if take:
        fields["to_pull"] = lacking
        texts.append(f"{lacking} to pull")
    if give:
        fields["to_push"] = surplus
        texts.append(f"{surplus} to push")
    one.report(log, fields, ", ".join(texts))


def _compare(session: Session, tracking: Tracking, there: Ref) -> tuple[int, int]:
    """Return how many messages only the remote has, and only we have, of what is meant."""
    part = tracking.part()
    if there.root == part.root:
        return 0, 0
    if not there.count or not part.count:
        return there.count, part.count
    ground = find_common_ground(session, tracking, part.root, dict(part.nodes), there.root)
    read = overlay(tracking.repository.store.read_nodes, ground.made)
    surplus = sum(1 for _ in difference(read, ground.common, part.root))
    return max(there.count - count(read, ground.common), 0), surplus
