"""Faults come from the seed alone, and runs have all of them."""

from tests.high_availability.schedule import ALL, FAULTS, LAST, Kind, draw


def test_a_seed_repeats() -> None:
    assert draw(3, 5) == draw(3, 5)
    assert draw(3, 5) != draw(4, 5)
    assert draw(3, 5) != draw(3, 6)


def test_every_run_ends_with_a_killed_primary() -> None:
    for run in range(20):
        faults = draw(1, run)
        assert len(faults) == FAULTS + 1
        assert faults[-1].kind is LAST
        assert all(fault.after > 0 and fault.down > 0 for fault in faults)
        assert {fault.member for fault in faults} <= {0, 1, 2}


def test_twenty_runs_have_every_kind_of_fault_more_than_once() -> None:
    kinds = [fault.kind for run in range(20) for fault in draw(1, run)[:-1]]
    assert {kind for kind in ALL if kinds.count(kind) > 1} == set(ALL)


def test_only_kinds_that_were_asked_for() -> None:
    faults = draw(1, 0, faults=5, kinds=[Kind.FREEZE_PRIMARY])
    assert [fault.kind for fault in faults] == [Kind.FREEZE_PRIMARY] * 5 + [LAST]
