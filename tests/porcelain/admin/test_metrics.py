"""`admin metrics`: what Prometheus is told of a server account."""

import os
import re
from pathlib import Path

import pytest

from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit
from msglog.account.database import FORMAT
from msglog.layout import STORE_NAME
from msglog.repository import Repository
from msglog.version import __version__
from tests.exposition import Read, parse
from tests.plumbing.peers import add, message
from tests.porcelain.admin.running import Home

PAGE = Path(__file__).parents[3] / "docs" / "commands" / "admin.md"
TIME = 1_790_000_000_000_000


def enter(home: Home, *acts: Act, repository: str = "main") -> None:
    account = Account.open(home.account)
    trail = Trail(account.database, Visit("ann", repository=repository), lambda: TIME)
    trail.let_in()
    for act in acts:
        trail.record(act)
    trail.close()
    account.close()


def fill(home: Home, name: str, count: int) -> None:
    repository = Repository.open(home.account / "repositories" / name)
    add(repository, *map(message, range(count)))
    repository.close()


def read(home: Home) -> dict[str, Read]:
    return parse(home.do("metrics").output)


def value(found: dict[str, Read], name: str, **labels: str) -> float | None:
    family = next(one for key, one in found.items() if name.startswith(key))
    return family.samples.get((name, tuple(labels.items())))


def test_an_account_in_numbers(home: Home) -> None:
    home.do("repository", "add", "team/ops")
    home.do("user", "add", "ann", "--role", "write")
    home.do("user", "add", "bob")
    home.do("key", "add", "ann", home.public_key(1))
    home.do("grant", "ann", "read", "ops/*")
    fill(home, "main", 7)
    enter(home, Act("push", "main", 7, 900, 2, "refused", duration=30_000), Act("list", duration=9))
    enter(home, Act("fetch", "main", 5, 600, duration=2_000_000), Act("get-nodes", size=40))
    enter(home)
    enter(home, Act("push", "lab", 1, 50, duration=7_000), repository="team/ops")
    found = read(home)
    assert value(found, "msglog_build_info", version=__version__) == 1
    assert value(found, "msglog_account_format") == FORMAT
    assert value(found, "msglog_users") == 2
    assert value(found, "msglog_keys") == 1
    assert value(found, "msglog_grants") == 1
    assert value(found, "msglog_audit_records") == 11
    main, ops = {"repository": "main"}, {"repository": "team/ops"}
    assert value(found, "msglog_up", **main) == value(found, "msglog_up", **ops) == 1
    assert value(found, "msglog_logs", **main) == 1
    assert value(found, "msglog_messages", **main) == 7
    assert value(found, "msglog_messages", **ops) == 0
    store = home.account / "repositories" / "main" / STORE_NAME
    assert value(found, "msglog_store_bytes", **main) == store.stat().st_size
    assert value(found, "msglog_sessions_total", **main) == 3
    assert value(found, "msglog_sessions_total", **ops) == 1
    assert value(found, "msglog_received_messages_total", **main) == 7
    assert value(found, "msglog_received_bytes_total", **main) == 900
    assert value(found, "msglog_refused_messages_total", **main) == 2
    assert value(found, "msglog_sent_messages_total", **main) == 5
    assert value(found, "msglog_sent_bytes_total", **main) == 640
    assert value(found, "msglog_sent_bytes_total", **ops) == 0
    operations = found["msglog_operations_total"].samples
    assert {tuple(word for _, word in key[1]): number for key, number in operations.items()} == {
        ("", "admin", "ok"): 6,
        ("main", "fetch", "ok"): 1,
        ("main", "get-nodes", "ok"): 1,
        ("main", "list", "ok"): 1,
        ("main", "push", "refused"): 1,
        ("team/ops", "push", "ok"): 1,
    }
    duration = "msglog_operation_duration_seconds"
    assert value(found, f"{duration}_sum", operation="push") == 0.037
    assert value(found, f"{duration}_bucket", operation="push", le="0.01") == 1
    assert value(found, f"{duration}_bucket", operation="push", le="0.05") == 2
    assert value(found, f"{duration}_bucket", operation="fetch", le="1.0") == 0
    assert value(found, f"{duration}_count", operation="fetch") == 1
    assert value(found, f"{duration}_count", operation="get-nodes") is None


def test_nothing_that_a_client_chooses_is_in_a_label(home: Home) -> None:
    before = home.do("metrics").output
    enter(home, Act("push", "chosen", detail="chosen", duration=5), Act("push", "chosen"))
    account = Account.open(home.account)
    visit = Visit("chosen", "chosen", "chosen", "chosen", "chosen")
    Trail(account.database, visit, lambda: 5).record(Act("greeting", result="not-authorised"))
    account.close()
    after = home.do("metrics").output
    assert after != before
    assert "chosen" not in after


def test_the_page_has_each_metric_with_its_labels(home: Home) -> None:
    enter(home, Act("push", messages=1, duration=3))
    home.do("gc")
    home.do("backup", "account.tar")
    rows = re.findall(r"^\| (`msglog_[^|]*) \|([^|]*)\|", PAGE.read_text(), re.MULTILINE)
    documented = {
        name: {*re.findall("`([a-z]+)`", labels)}
        for names, labels in rows
        for name in re.findall("`([a-z_]+)`", names)
    }
    assert documented == {
        name: {key for _, labels in family.samples for key, _ in labels} - {"le"}
        for name, family in read(home).items()
    }


def test_the_order_is_always_the_same(home: Home) -> None:
    for name in ("z", "a/b", "m"):
        home.do("repository", "add", name)
        enter(home, Act("push", duration=3), Act("fetch", duration=3), repository=name)
    text = home.do("metrics").output
    assert home.do("metrics").output == text
    found = parse(text)
    assert next(iter(found)) == "msglog_build_info"
    for name in ("msglog_up", "msglog_operations_total", "msglog_sent_bytes_total"):
        labels = [labels for _, labels in found[name].samples]
        assert labels == sorted(labels)


def test_counters_stay_when_the_audit_loses_its_oldest(home: Home) -> None:
    home.do("set", "audit.keep", "1000")
    enter(home, *[Act("fetch", messages=1)] * 1500)
    found = read(home)
    assert (value(found, "msglog_audit_records") or 0) < 1300
    assert value(found, "msglog_sent_messages_total", repository="main") == 1500


def test_a_damaged_repository_is_down_and_the_rest_is_there(home: Home) -> None:
    home.do("repository", "add", "bad")
    enter(home, Act("push", messages=3), repository="bad")
    (home.account / "repositories" / "bad" / STORE_NAME).write_bytes(b"no store")
    found = read(home)
    assert value(found, "msglog_up", repository="bad") == 0
    assert value(found, "msglog_up", repository="main") == 1
    for name in ("logs", "messages", "store_bytes"):
        assert len(found[f"msglog_{name}"].samples) == 1
        assert value(found, f"msglog_{name}", repository="main") is not None
    assert value(found, "msglog_received_messages_total", repository="bad") == 3


def test_damaged_totals_are_not_shown(home: Home) -> None:
    account = Account.open(home.account)
    account.database.execute("UPDATE totals SET operations = operations + 1")
    account.close()
    result = home.admin("metrics")
    assert (result.status, result.output) == (5, "")
    assert "a total is not as it was written" in result.errors
    assert "the total of '' 'admin' 'ok'" in home.admin("doctor").output


def test_an_account_in_use_is_read(home: Home) -> None:
    account = Account.open(home.account)

    def use() -> dict[str, Read]:
        trail = Trail(account.database, Visit("ann", repository="main"), lambda: 5)
        trail.record(Act("push"), durable=True)
        return read(home)

    during = account.database.together(use)
    account.close()
    assert len(during["msglog_operations_total"].samples) == 1
    assert len(read(home)["msglog_operations_total"].samples) == 2


def test_upkeep_has_its_times(home: Home) -> None:
    found = read(home)
    assert not {"msglog_last_backup_timestamp_seconds", "msglog_last_gc_timestamp_seconds"} & set(
        found
    )
    home.do("repository", "add", "a")
    home.do("gc", "--dry-run")
    assert "msglog_last_gc_timestamp_seconds" not in read(home)
    home.do("gc", "main")
    store = home.account / "repositories" / "a" / STORE_NAME
    begun = store.stat().st_mtime
    home.do("backup", "account.tar")
    found = read(home)
    (collected,) = found["msglog_last_gc_timestamp_seconds"].samples.items()
    assert collected[0][1] == (("repository", "main"),)
    assert begun <= collected[1] + 1
    backed_up = value(found, "msglog_last_backup_timestamp_seconds") or 0
    assert collected[1] < backed_up <= (home.path / "account.tar").stat().st_mtime + 1
    store.write_bytes(b"no store")
    assert home.admin("backup", "--force", "account.tar").status != 0
    assert home.admin("gc").status != 0
    found = read(home)
    assert value(found, "msglog_last_backup_timestamp_seconds") == backed_up
    assert len(found["msglog_last_gc_timestamp_seconds"].samples) == 1


def test_a_file_is_replaced_in_one_step(home: Home) -> None:
    target = home.path / "msglog.prom"
    target.write_text("old")
    before = os.umask(0o077)
    try:
        assert home.do("metrics", "--output", "msglog.prom").output == ""
    finally:
        os.umask(before)
    assert target.read_text() == home.do("metrics").output
    assert target.stat().st_mode & 0o7777 == 0o644
    assert [path.name for path in home.path.glob("*.prom*")] == ["msglog.prom"]


def test_a_failure_leaves_the_old_file(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    target = home.path / "msglog.prom"
    target.write_text("old")
    seen: list[str] = []

    def fail(source: str, _target: str) -> None:
        seen.append(Path(source).read_text())
        assert not source.endswith(".prom")
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "rename", fail)
    result = home.admin("metrics", "--output", "msglog.prom")
    assert result.status == 7
    assert "cannot write" in result.errors
    assert parse(seen[0])
    assert target.read_text() == "old"
    assert [path.name for path in home.path.glob("*.prom*")] == ["msglog.prom"]
    assert home.admin("metrics", "--output", "nowhere/msglog.prom").status == 7


def test_json_has_an_object_for_each_sample(home: Home) -> None:
    home.do("key", "list")
    text = home.do("metrics").output
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    records = home.do("metrics", "--json").records
    assert len(records) == len(lines)
    assert records[0] == {
        "metric": "msglog_build_info",
        "labels": {"version": __version__},
        "value": 1,
    }


def test_looking_is_not_recorded(home: Home) -> None:
    home.do("user", "add", "ann")
    before = home.do("audit", "--json").output
    home.do("metrics")
    assert home.do("audit", "--json").output == before


def test_a_device_or_a_pipe_is_written_to_and_not_replaced(home: Home, tmp_path: Path) -> None:
    """The file of the metrics came in the place of the device, for everybody on the machine."""
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    result = home.admin("metrics", "--output", str(full))
    assert result.status == 7
    assert result.errors.endswith("cannot write " + f"{full} (No space left on device).\n")
    assert full.is_char_device()
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    home.do("metrics", "--output", str(pipe))
    assert os.read(reader, 1 << 20).startswith(b"# HELP msglog_build_info")
    os.close(reader)
    assert pipe.is_fifo()
