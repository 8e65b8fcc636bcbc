"""What is put right, and in which order."""

from msglog.account.findings import Inspection, check_lines
from msglog.account.forced_command import ForcedCommand, Program
from msglog.account.managed_block import key_line
from msglog.account.mending import mended_data, mended_inspection, mended_places
from msglog.account.place import Place
from msglog.dataclass import replace
from tests.msglog.account import keymaking as make

KEY = make.key(1)
COMMAND = ForcedCommand(Program("/python", "/msglog"), "ann", KEY.fingerprint)
LINES = [key_line(COMMAND, KEY)]
BROKEN = Inspection(
    path="/h/.ssh/authorized_keys",
    data=key_line(replace(COMMAND, program=Program("/gone", "/msglog")), KEY).encode(),
    expected={KEY.fingerprint: COMMAND},
    account="/h/a",
    default_account="/h/a",
    owner=1000,
    places=(
        Place("/h/.ssh/authorized_keys", 1000, 0o666, kept=True),
        Place("/h", 1000, 0o775, folder=True, kept=True),
        Place("/h/.ssh", 1000, 0o600, folder=True, kept=True),
        Place("/h/a", 0, 0o777, folder=True, kept=True),
    ),
    missing=frozenset({"/gone"}),
)


def test_what_is_mended_is_good() -> None:
    assert {finding.code for finding in check_lines(BROKEN)} > {"missing-program", "mode"}
    left = check_lines(mended_inspection(BROKEN, LINES))
    assert [(finding.where, finding.code) for finding in left] == [("/h/a", "mode")]


def test_a_file_that_msglog_does_not_write_keeps_its_lines() -> None:
    other = mended_inspection(BROKEN, None)
    assert other.data == BROKEN.data
    assert other.missing == BROKEN.missing
    assert other.places[0].mode == 0o644


def test_nothing_is_written_that_does_not_start() -> None:
    broken = replace(BROKEN, unstartable="it is broken")
    assert mended_data(broken, broken.data, LINES) == broken.data
    assert mended_data(BROKEN, broken.data, LINES) != broken.data


def test_outer_folders_are_opened_first() -> None:
    changes = mended_places(BROKEN.places, BROKEN.owner)
    assert [(old.path, old.mode, new.mode) for old, new in changes] == [
        ("/h", 0o775, 0o755),
        ("/h/.ssh", 0o600, 0o700),
        ("/h/.ssh/authorized_keys", 0o666, 0o644),
    ]
