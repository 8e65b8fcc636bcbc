"""What sessions over a real sshd add to the metrics, which an administrator elsewhere reads."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.exposition import parse
from tests.ssh.accounts import AccountStore
from tests.ssh.sshd import Sshd, running_sshd
from tests.ssh.test_exchange import make_site


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    with running_sshd(tmp_path / "sshd") as running:
        yield running


def test_sessions_are_counted(sshd: Sshd, tmp_path: Path, account_store: AccountStore) -> None:
    site = make_site(sshd, tmp_path / "site", "openssh", account_store)
    site.admin("set", "keys.file", str(sshd.authorized_keys))
    ann, bob, carl = site.person("admin"), site.person("read"), site.person("none")
    for body in ("one", "two"):
        ann.msglog("add", body)
    ann.msglog("push")
    bob.msglog("pull")
    bob.msglog("add", "three")
    assert bob.run("push").returncode == 3
    assert carl.run("pull").returncode == 3
    assert ann.run("ls-remote", "ssh://server/no/such").returncode != 0
    ann.msglog("admin", "user", "list", "--remote", "origin")
    refused = ann.run("admin", "metrics", "--output", "x.prom", "--remote", "origin")
    assert refused.returncode == 2
    assert not (ann.home / "x.prom").exists()

    found = parse(ann.msglog("admin", "metrics", "--remote", "origin"))

    def values(name: str) -> dict[tuple[str, ...], float]:
        samples = found[name].samples
        return {tuple(word for _, word in labels): value for (_, labels), value in samples.items()}

    operations = values("msglog_operations_total")
    assert operations["main", "push", "ok"] == 1
    assert operations["main", "fetch", "ok"] == 1
    assert operations["main", "push", "not-authorised"] == 1
    assert operations["", "greeting", "not-authorised"] == 1
    assert operations["", "greeting", "no-such-repository"] == 1
    assert operations["main", "admin", "ok"] == 1
    # Ann's push and her first command; the one that asks is counted when it ends. Bob's two.
    assert values("msglog_sessions_total") == {("main",): 4}
    assert values("msglog_received_messages_total") == {("main",): 2}
    assert values("msglog_sent_messages_total") == {("main",): 2}
    assert values("msglog_messages") == {("main",): 2}
    counts = found["msglog_operation_duration_seconds"].samples
    assert counts["msglog_operation_duration_seconds_count", (("operation", "fetch"),)] == 1
    assert counts["msglog_operation_duration_seconds_sum", (("operation", "push"),)] > 0
    # That it was looked at is recorded, since it came over a session.
    again = parse(ann.msglog("admin", "metrics", "--remote", "origin"))
    by_admin = (("repository", "main"), ("operation", "admin"), ("result", "ok"))
    samples = again["msglog_operations_total"].samples
    assert samples["msglog_operations_total", by_admin] == operations["main", "admin", "ok"] + 1
