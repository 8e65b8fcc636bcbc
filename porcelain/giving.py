"""Pushing logs to a remote: the work of `push` and `sync`."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from msglog.key import FIRST_KEY
from porcelain.display import one_line
from porcelain.printing import note

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from msglog.repository import Log
    from msglog.store.store import Ref
    from msglog.wire.events import Push
    from msglog.wire.request_line import EarlyRequest
    from plumbing.pushing import Pushed, Pusher
    from porcelain.exchange import Exchange


def give(one: Exchange, logs: Sequence[str]) -> None:
    """Push logs, or all that we have, over a session that is open or a new one.

    logs: names, and patterns for those that we have.
    """
    names, meant = one.chosen(logs)
    for log in names:
        one.repository.log(log)
    asked: dict[str, tuple[Push, Push | None]] = {}
    known: dict[str, Ref] = {}
    met = one.target.repository

    def ask() -> Sequence[EarlyRequest]:
        one.repository.check_writable()
        from plumbing.pushing import push_requests  # noqa: PLC0415 - while the server gets ready

        others = [] if meant is None else _own_logs(one, meant)
        for log in dict.fromkeys([*names, *others]):
            known[log] = one.tracking(log).known()
            asked[log] = push_requests(one.tracking(log))
        return [push for both in asked.values() for push in both if push is not None]

    session = one.open(ask)
    if not asked and one.repository.logs():
        text = "no log is meant" if logs else f"no log is shared with {one.target.shown}"
        note(one.context, f"msglog: {one_line(text)}")
    if one.target.repository != met:
        from plumbing.tracking import NOTHING_KNOWN  # noqa: PLC0415 - seldom

        known = dict.fromkeys(known, NOTHING_KNOWN)  # that was another repository
    from plumbing.pushing import Pusher  # noqa: PLC0415 - while the server starts
    from porcelain.progress import Progress  # noqa: PLC0415 - as above

    chosen = list(asked)
    ready: dict[str, Pusher] = {}

    def take_answer(log: str) -> None:
        early, older = asked[log]
        pusher = Pusher(
            session, one.tracking(log), early=early, early_older=older, known=known.get(log)
        )
        pusher.take_answer()
        ready[log] = pusher

    def finish(log: str) -> None:
        with Progress(one.context, f"Pushing {log}", heed=one.heed, session=session) as progress:
            following = next(rest, None)
            meanwhile = None if following is None else ready[following].prepare
            pushed = ready[log].run(progress.update, meanwhile)
        _report(one, pushed)

    one.each(chosen, take_answer)
    rest = iter([*ready][1:])  # while the remote still works on one log, the next is begun
    one.each(list(ready), finish)


def _own_logs(one: Exchange, meant: Callable[[str], bool]) -> list[str]:
    """Return our logs that are meant, those first of which the remote probably lacks least.

    A log that comes after a larger one of the same time changes a page for nearly each message.
    """

    def lacking(log: Log) -> int:
        return log.count - one.tracking(log.name).known().count

    return [log.name for log in sorted(one.repository.logs(), key=lacking) if meant(log.name)]


def _report(one: Exchange, pushed: Pushed) -> None:
    text = f"{pushed.messages} pushed"
    if pushed.refused:
        text += f", {len(pushed.refused)} refused"
    if pushed.root is not None:
        text += f", {pushed.count} in all, root {pushed.root.hex()[:12]}"
    fields: dict[str, object] = {
        "pushed": pushed.messages,
        "refused": len(pushed.refused),
        "lost": pushed.lost,
        "count": pushed.count,
        "root": None if pushed.root is None else pushed.root.hex(),
    }
    if one.view != FIRST_KEY:
        from porcelain.scope import json_since, shown  # noqa: PLC0415 - few remotes have a view

        fields["since"] = json_since(one.view, one.context)
        text += f", since {shown(one.view, one.context)}"
    one.report(pushed.log, fields, text)
    one.warn_of_loss(pushed.log, pushed.lost, pushed=True)
    one.warn_of_refusals(pushed.log, pushed.refused)
