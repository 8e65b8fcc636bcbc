"""Fetching and pulling logs of a remote: the work of `fetch`, `pull`, `clone` and `sync`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.refname import DEFAULT_LOG, REMOTE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Sequence

    from msglog.wire.events import Fetch
    from msglog.wire.request_line import EarlyRequest
    from plumbing.fetching import Fetched, Fetcher
    from plumbing.session import Session
    from porcelain.exchange import Exchange


def take(one: Exchange, logs: Sequence[str], *, pull: bool) -> Session:
    """Fetch logs, or all that the remote lists, into tracking refs and, to pull, into our logs.

    What we expect to want is asked for along with the connection, so that it costs no waiting.
    """
    asked: dict[str, Fetch] = {}

    def ask() -> Sequence[EarlyRequest]:
        from msglog.wire.events import ListRefs  # noqa: PLC0415 - while the server gets ready
        from plumbing.fetching import fetch_request  # noqa: PLC0415 - as above

        for log in list(logs) or _known_logs(one):
            asked[log] = fetch_request(one.tracking(log))
        return [*asked.values()] if logs else [ListRefs(), *asked.values()]

    session = one.open(ask)
    from plumbing.fetching import Fetcher  # noqa: PLC0415 - while the server starts
    from plumbing.session import UnknownRemoteLogError  # noqa: PLC0415 - as above
    from porcelain.progress import Progress  # noqa: PLC0415 - as above

    guesses = list(asked)
    listed = [] if logs else [ref.log for ref in session.listed_refs()]
    answered: dict[str, Fetcher] = {}

    def take_answer(log: str) -> None:
        verb = "Pulling" if pull else "Fetching"
        with Progress(one.context, f"{verb} {log}", heed=one.heed) as progress:
            fetcher = Fetcher(
                session,
                one.tracking(log),
                pull=pull,
                early=asked.get(log),
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

    one.each(guesses, take_answer)
    one.each(list(answered), finish)
    for log in listed:
        if log not in asked:
            one.each([log], take_answer)
            one.each([log] if log in answered else [], finish)
    return session


def _known_logs(one: Exchange) -> list[str]:
    """Return the logs that the remote had when it was last seen, `main` if it never was."""
    prefix = f"{REMOTE_PREFIX}{one.target.name}/"
    known = one.repository.store.refs(prefix) if one.target.name else {}
    return [name.removeprefix(prefix) for name in known] or [DEFAULT_LOG]


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
