"""Watching our own logs."""

import pytest

from msglog.key import key_object_id
from msglog.repository import UnknownLogError
from plumbing.news import Arrived, NothingLeftError, Vanished
from plumbing.own_watch import OwnWatch, own_watch
from plumbing.watched_logs import WatchedLogs
from tests.plumbing.peers import add, make_repository, message


def test_our_own_logs_are_watched() -> None:
    repository = make_repository(1)
    add(repository, *map(message, range(5)))
    watch = own_watch(repository, WatchedLogs(), newest=2)
    first = list(watch.news())
    assert [key_object_id(key) for news in first if isinstance(news, Arrived) for key in news.keys]
    assert sum(len(news.keys) for news in first if isinstance(news, Arrived)) == 2
    repository.create_log("lab", time=0)
    add(repository, message(7), log="lab")
    add(repository, message(3, body="in between"), message(8))
    news = [(one.log, len(one.keys)) for one in watch.news() if isinstance(one, Arrived)]
    assert news == [("lab", 1), ("main", 2)] or sum(count for _, count in news) == 3
    repository.rename_log("lab", "shed", time=0)
    assert list(watch.news()) == [Vanished("lab")]
    assert list(watch.news()) == []
    repository.delete_log("shed", time=0)
    assert list(watch.news()) == [Vanished("shed")]


def test_our_own_logs_are_chosen_by_name() -> None:
    repository = make_repository(1)
    with pytest.raises(UnknownLogError):
        own_watch(repository, WatchedLogs(("main", "lab")))
    named = own_watch(repository, WatchedLogs(("main",)))
    assert list(named.news()) == []
    watch = OwnWatch(repository, {"lab"}.__contains__)
    assert list(watch.news()) == []
    add(repository, message(1))
    assert list(watch.news()) == []
    assert len(list(named.news())) == 1
    repository.delete_log("main", time=0)
    with pytest.raises(NothingLeftError):
        list(named.news())
