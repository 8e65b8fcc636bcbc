"""Fetching and pulling logs of a remote: the work of `fetch`, `pull`, `clone` and `sync`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.refname import DEFAULT_LOG, REMOTE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.store.store import Ref
    from msglog.wire.events import AdvertisedRef, Fetch
    from msglog.wire.request_line import EarlyRequest
    from plumbing.fetching import Fetched, Fetcher
    from plumbing.session import Session
    from porcelain.exchange import Exchange


def take(one: Exchange, logs: Sequence[str], *, pull: bool) -> Session:
    """Fetch logs, or all that the remote lists, into tracking refs and, to pull, into our logs.

    What we expect to want is asked for along with the connection, so that it costs no waiting.
    """
    asked: dict[str, Fetch] = {}
    known: dict[str, Ref] = {}
    met = one.target.repository

    def ask() -> Sequence[EarlyRequest]:
        from msglog.wire.events import ListRefs  # noqa: PLC0415 - while the server gets ready
        from plumbing.fetching import fetch_request as request_of  # noqa: PLC0415 - as above

        for log in list(logs) or _known_logs(one):
            known[log] = one.tracking(log).known()
            asked[log] = request_of(one.tracking(log))
        return [*asked.values()] if logs else [ListRefs(), *asked.values()]

    session = one.open(ask)
    if one.target.repository != met:
        from plumbing.tracking import NOTHING_KNOWN  # noqa: PLC0415 - seldom

        known = dict.fromkeys(known, NOTHING_KNOWN)  # that was another repository
    from plumbing.fetching import Fetcher, fetch_request  # noqa: PLC0415 - while it starts
    from plumbing.session import UnknownRemoteLogError  # noqa: PLC0415 - as above
    from porcelain.progress import Progress  # noqa: PLC0415 - as above

    guesses = list(asked)
    listed = [] if logs else session.listed_refs()
    # A log that comes after a larger one of the same time changes a page for nearly each message.
    unknown = [ref.log for ref in sorted(listed, key=_size) if ref.log not in asked]
    answered: dict[str, Fetcher] = {}

    def take_answer(log: str) -> None:
        verb = "Pulling" if pull else "Fetching"
        with Progress(one.context, f"{verb} {log}", heed=one.heed) as progress:
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
                if logs:
                    raise
                return  # it was a guess
            answered[log] = fetcher

    def finish(log: str) -> None:
        _report(one, answered[log].run(), pull=pull)

    for some in (guesses, unknown):
        for log in some:
            if log not in asked:
                known[log] = one.tracking(log).known()
                asked[log] = fetch_request(one.tracking(log))
                session.send(asked[log])
        one.each(some, take_answer)
        one.each([log for log in some if log in answered], finish)
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


def _report(one: Exchange, fetched: Fetched, *, pull: bool) -> None:
    verb = "pulled" if pull else "fetched"
    count = fetched.local.count if pull else fetched.count
    root = fetched.local.root if pull else fetched.root
    one.report(
        fetched.log,
        {verb: fetched.messages, "lost": fetched.lost, "count": count, "root": root.hex()},
        f"{fetched.messages} {verb}, {count} in all, root {root.hex()[:12]}",
    )
    one.warn_of_loss(fetched.log, fetched.lost, pushed=False)
