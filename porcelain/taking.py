"""Fetching and pulling logs of a remote: the work of `fetch`, `pull`, `clone` and `sync`."""

from __future__ import annotations

import os

from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.key import FIRST_KEY
from msglog.layout import VIEWS_NAME
from msglog.refname import DEFAULT_LOG, REMOTE_PREFIX
from porcelain.display import one_line
from porcelain.printing import note

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.horizon import Horizon
    from msglog.store.store import Ref
    from msglog.wire.events import AdvertisedRef, Fetch
    from msglog.wire.request_line import EarlyRequest
    from plumbing.fetching import Fetched, Fetcher
    from plumbing.session import Session
    from porcelain.exchange import Exchange

_NAMED = 5
"""So many logs of a remote are named where none of them was meant."""


class NothingSharedError(UsageError):
    """None of the logs that a remote lists is one that is to be shared with it."""


def take(one: Exchange, logs: Sequence[str], *, pull: bool, must_share: bool = False) -> Session:
    """Fetch logs, or all that the remote lists, into tracking refs and, to pull, into our logs.

    logs: names, and patterns for those that the remote lists. What we expect to want is asked for
    along with the connection, so that it costs no waiting. must_share: raise NothingSharedError
    where the remote lists logs, and none is shared.
    """
    asked: dict[str, Fetch] = {}
    known: dict[str, Ref] = {}
    met = one.target.repository
    names, meant = one.chosen(logs)
    # Of a view, to say how many messages are older.
    lists = meant is not None or one.view != FIRST_KEY

    def ask() -> Sequence[EarlyRequest]:
        one.repository.check_writable()
        from msglog.wire.events import ListRefs  # noqa: PLC0415 - while the server gets ready
        from plumbing.fetching import fetch_request as request_of  # noqa: PLC0415 - as above

        guessed = [] if meant is None else [log for log in _known_logs(one) if meant(log)]
        for log in dict.fromkeys([*names, *guessed]):
            known[log] = one.tracking(log).known()
            asked[log] = request_of(one.tracking(log))
        return [ListRefs(), *asked.values()] if lists else [*asked.values()]

    session = one.open(ask)
    if one.target.repository != met:
        from plumbing.tracking import NOTHING_KNOWN  # noqa: PLC0415 - seldom

        known = dict.fromkeys(known, NOTHING_KNOWN)  # that was another repository
    from plumbing.fetching import Fetcher, fetch_request  # noqa: PLC0415 - while it starts
    from plumbing.session import UnknownRemoteLogError  # noqa: PLC0415 - as above
    from porcelain.progress import Progress  # noqa: PLC0415 - as above

    guesses = list(asked)
    listed = session.listed_refs() if lists else []
    counts = {ref.log: ref.count for ref in listed}
    seen: dict[str, Horizon | None] = {}
    # A log that comes after a larger one of the same time changes a page for nearly each message.
    unknown = [
        ref.log
        for ref in sorted(listed, key=_size)
        if ref.log not in asked and meant is not None and meant(ref.log)
    ]
    answered: dict[str, Fetcher] = {}
    shown: dict[str, Progress] = {}

    def take_answer(log: str) -> None:
        verb = "Pulling" if pull else "Fetching"
        progress = Progress(one.context, f"{verb} {log}", heed=one.heed, session=session)
        shown[log] = progress
        with progress:
            fetcher = Fetcher(
                session,
                one.tracking(log),
                pull=pull,
                early=asked.get(log),
                known=known.get(log),
                progress=progress.update,
            )
            try:
                fetcher.take_answer()
            except UnknownRemoteLogError:
                if log in names:
                    raise
                return  # it was a guess
            answered[log] = fetcher

    def finish(log: str) -> None:
        with shown[log]:
            fetched = answered[log].run()
        seen[log] = look_back(one, fetched, counts.get(log))
        _report(one, fetched, seen[log], pull=pull)

    try:
        for some in (guesses, unknown):
            for log in some:
                if log not in asked:
                    known[log] = one.tracking(log).known()
                    asked[log] = fetch_request(one.tracking(log))
                    session.send(asked[log])
            one.each(some, take_answer)
            one.each([log for log in some if log in answered], finish)
    finally:
        remember(one, seen)
    if listed and not names and meant is not None and not any(meant(ref.log) for ref in listed):
        what = f"{one.target.shown} has no log that is {'meant' if logs else 'shared'}"
        if must_share:
            few = ", ".join(sorted(ref.log for ref in listed)[:_NAMED])
            raise NothingSharedError(what, hint=f"It lists {few}.")
        note(one.context, f"msglog: {one_line(what)}")
    return session


def _size(listed: AdvertisedRef) -> int:
    return listed.count


def _known_logs(one: Exchange) -> list[str]:
    """Return the logs that the remote had when it was last seen, else `main` if we have that.

    Where we have nothing, all has to travel: then it is worth asking first what there is.
    """
    prefix = f"{REMOTE_PREFIX}{one.target.name}/"
    known = one.repository.store.refs(prefix) if one.target.name else {}
    if known:
        return [name.removeprefix(prefix) for name in known]
    return [DEFAULT_LOG] if one.tracking(DEFAULT_LOG).local().count else []


def look_back(one: Exchange, fetched: Fetched, listed: int | None) -> Horizon | None:
    """Return what the remote has from before the view, of so many that it lists; None: no view."""
    if one.view == FIRST_KEY:
        return None
    from msglog.horizon import Horizon  # noqa: PLC0415 - few remotes have a view

    tracking = one.tracking(fetched.log)
    there = tracking.known().count if tracking.ref else fetched.count
    return Horizon(one.view, None if listed is None else max(listed - there, 0))


def remember(one: Exchange, seen: dict[str, Horizon | None]) -> None:
    """Take note of what was seen, if any remote has ever had a view."""
    recorded = os.path.join(one.folder, VIEWS_NAME)
    if one.target.name and seen and (one.view != FIRST_KEY or os.path.exists(recorded)):
        from msglog.horizon import note_horizons  # noqa: PLC0415 - few remotes have a view

        note_horizons(one.folder, one.target.repository, seen)


def _report(one: Exchange, fetched: Fetched, horizon: Horizon | None, *, pull: bool) -> None:
    verb = "pulled" if pull else "fetched"
    count = fetched.local.count if pull else fetched.count
    root = fetched.local.root if pull else fetched.root
    fields = {verb: fetched.messages, "lost": fetched.lost, "count": count, "root": root.hex()}
    text = f"{fetched.messages} {verb}"
    if fetched.fetched_before:
        fields["fetched_before"] = fetched.fetched_before
        text += f", {fetched.fetched_before} fetched before"
    text += f", {count} in all, root {root.hex()[:12]}"
    if horizon is not None:
        from porcelain.scope import json_since, shown  # noqa: PLC0415 - as in look_back

        fields |= {"since": json_since(horizon.view, one.context), "older": horizon.older}
        text += f", since {shown(horizon.view, one.context)}"
        if horizon.older:
            text += f" ({horizon.older} older there)"
    one.report(fetched.log, fields, text)
    one.warn_of_loss(fetched.log, fetched.lost, pushed=False)
