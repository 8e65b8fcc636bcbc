"""Which logs are watched."""

from plumbing.watched_logs import WatchedLogs


def test_logs_are_meant_by_names_and_patterns() -> None:
    everything, some = WatchedLogs(()), WatchedLogs(("lab", "beamline/*"))
    assert everything.has("anything")
    assert everything.may_grow
    assert [some.has(log) for log in ("lab", "lab2", "beamline/one", "beamline")] == [
        True,
        False,
        True,
        False,
    ]
    assert some.may_grow
    assert some.names == {"lab"}
    assert not WatchedLogs(("lab",)).may_grow
