"""The recipe for a cluster of PostgreSQL: its files are taken by those that read them, its backups come back."""

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.high_availability.cluster import QUICK, Cluster
from tests.high_availability.etcd import MEMBERS, Etcd
from tests.high_availability.owner import (
    ClusterError,
    end,
    folder,
    give,
    programs,
    run,
    start,
    wait_for,
)
from tests.high_availability.postgresql import Server, allow_copies, following, running_server
from tests.postgres.server import FAST, LOGIN
from tests.ssh.sshd import find_sshd, make_key, shuts_out
from tests.test_deployment import MSGLOG, PROGRAM, check_unit, settings

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "deploy" / "postgresql.md"
FILES = ROOT / "docs" / "deploy" / "postgresql"
UNITS = sorted((FILES / "systemd").iterdir())
ELSEWHERE = ("is not reachable", "didn't pass validation: [Errno 99]", "is not a directory")
"""What Patroni finds wrong with addresses and folders of other hosts."""


def page_lines() -> list[str]:
    return [line[4:] for line in PAGE.read_text().splitlines() if line.startswith("    ")]


def test_every_file_is_installed_and_named_by_the_page() -> None:
    text = PAGE.read_text()
    for path in FILES.rglob("*"):
        if path.is_file():
            assert f"docs/deploy/postgresql/{path.relative_to(FILES)}" in text, path
    for name in re.findall(r"docs/deploy/\S+", "\n".join(page_lines())):
        assert (ROOT / name).is_file(), name


def test_every_timer_is_started_after_systemd_has_read_it() -> None:
    text = PAGE.read_text()
    started = set(re.findall(r"systemctl enable --now ([^`\n]+)", text))
    names = {name for line in started for name in line.split()}
    timers = {unit.name for unit in UNITS if unit.suffix == ".timer"}
    assert timers <= names
    for unit in UNITS:
        if unit.suffix == ".timer":
            installed = text.index(f"systemd/{unit.name}")
            assert installed < text.index("systemctl daemon-reload", installed)
    for line in page_lines():
        if line.startswith("patronictl"):
            assert line.startswith("patronictl -c /etc/patroni/config.yml ")
    assert not re.search(r"patronictl (?!-c |list`|failover --force`)", text)


def test_connections_are_enough_for_two_front_ends() -> None:
    patroni, sshd = (
        (FILES / name).read_text() for name in ("patroni.yml", "sshd_config.d/60-msglog.conf")
    )
    (most,) = re.findall(r"^        max_connections: (\d+)$", patroni, re.MULTILINE)
    (logins,) = re.findall(r"^MaxStartups \d+:\d+:(\d+)$", sshd, re.MULTILINE)
    (limit,) = re.findall(r"--connection-limit=(\d+)", PAGE.read_text())
    sessions = int(most) // 2 - int(logins)
    assert f"each with {logins} logins (MaxStartups) and {sessions} connections" in patroni
    assert int(limit) == int(most) - 20


def test_patroni_takes_its_file(tmp_path: Path) -> None:
    program = shutil.which("patroni")
    if program is None:
        return
    file = tmp_path / "patroni.yml"
    text = (FILES / "patroni.yml").read_text().replace("192.0.2.1", "127.0.0.2")
    assert "bin_dir: /usr/lib/postgresql/15/bin\n" in text  # with another version, see the page
    file.write_text(text.replace("/usr/lib/postgresql/15/bin", str(programs())))
    words = [program, "--validate-config", str(file)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    complaints = [
        line
        for line in (done.stdout + done.stderr).splitlines()
        if not any(word in line for word in ELSEWHERE)
        and not line.endswith(" is not defined.")  # what may be left out
    ]
    assert complaints == []


def test_commits_wait_for_a_standby_that_patroni_knows() -> None:
    text = (FILES / "patroni.yml").read_text()
    for line in (
        "    synchronous_mode: true\n",
        "    synchronous_mode_strict: true\n",
        "    synchronous_node_count: 1\n",
        '        synchronous_commit: "on"\n',
        "\netcd:\n",  # docs/adr/0019: not etcd3
    ):
        assert line in text
    times = {
        name: int(value)
        for name, value in re.findall(
            r"^    (ttl|loop_wait|retry_timeout): (\d+)$", text, re.MULTILINE
        )
    }
    assert times["loop_wait"] + 2 * times["retry_timeout"] <= times["ttl"]


def test_patroni_bootstraps_with_its_file() -> None:
    if any(shutil.which(program) is None for program in ("patroni", "etcd", "etcdctl")):
        return
    with folder() as place:
        cluster = Cluster(place, QUICK)
        try:
            cluster.prepare()
            first = cluster.nodes[0]
            first.start()
            assert cluster.await_primary() is first
            # The roles that Patroni makes, and nobody has a password but they.
            roles = "SELECT rolname FROM pg_authid WHERE rolpassword IS NOT NULL ORDER BY 1"
            wait_for(
                "there are no roles",
                lambda: cluster.query(first, roles, "postgres") == "replicator\nrewind",
                60,
            )
        finally:
            cluster.close()


def test_the_superuser_comes_from_no_other_machine() -> None:
    lines = re.findall(r"^    - (host.*)$", (FILES / "patroni.yml").read_text(), re.MULTILINE)
    for line in lines:
        kind, database, user, address, method = line.split()
        assert (kind, method) == ("hostssl", "scram-sha-256")
        assert "all" not in (database, user)
        assert user != "postgres"
        assert address.endswith("/32") or (database, user) == ("msglog", "msglog")
    text = (FILES / "patroni.yml").read_text()
    assert re.findall(r"sslmode: (\S+)", text) == ["verify-full"] * 2


def test_members_of_etcd_that_debian_has_started_alone_find_each_other() -> None:
    """The page removes what a member of its own cluster has kept, before it has its settings."""
    lines = page_lines()
    (at,) = [number for number, line in enumerate(lines) if line.endswith(" /etc/default/etcd")]
    assert lines[at - 2 : at] == ["systemctl stop etcd", "rm -rf /var/lib/etcd/default"]
    (told,) = [number for number, line in enumerate(lines) if line.endswith(" member list")]
    assert told < lines.index("systemctl enable --now patroni")
    if shutil.which("etcd") is None or shutil.which("etcdctl") is None:
        return
    with folder() as place:
        members = Etcd(place)
        try:
            for number in range(MEMBERS):
                start_alone(members, number)
                run(
                    [
                        "sh",
                        "-c",
                        lines[at - 1].replace("/var/lib/etcd/default", f"{members.data(number)}"),
                    ]
                )
            members.open()
            assert [len(members.members(number)) for number in range(MEMBERS)] == [
                MEMBERS
            ] * MEMBERS
        finally:
            members.close()


def start_alone(members: Etcd, number: int) -> None:
    """Have a member make a cluster of one, as it does without settings, and stop it."""
    client, peer = (
        f"http://{members.hosts[number].split(':')[0]}:{port}" for port in members.ports[number]
    )
    words = ["etcd", f"--data-dir={members.data(number)}", f"--initial-cluster=default={peer}"]
    words += [f"--listen-client-urls={client}", f"--advertise-client-urls={client}"]
    words += [f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"]
    process = start(words, members.folder / f"etcd{number}.log")
    try:

        def alone() -> bool:
            with contextlib.suppress(ClusterError):
                return len(members.members(number)) == 1
            return False

        wait_for("etcd does not start", alone, 60)
    finally:
        end(process)


def test_etcd_is_told_what_patroni_is_told() -> None:
    lines = (FILES / "etcd").read_text().splitlines()
    told = dict(line.split("=", 1) for line in lines if not line.startswith("#"))
    assert all(name.startswith("ETCD_") for name in told)
    assert told["ETCD_ENABLE_V2"] == "true"
    assert f"{told['ETCD_NAME']}={told['ETCD_INITIAL_ADVERTISE_PEER_URLS']}" in (
        told["ETCD_INITIAL_CLUSTER"].split(",")
    )
    (hosts,) = re.findall(
        r"^etcd:\n  hosts: \[(.*)\]$", (FILES / "patroni.yml").read_text(), re.MULTILINE
    )
    client = told["ETCD_ADVERTISE_CLIENT_URLS"].removeprefix("http://")
    assert client in hosts.split(", ")


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    assert settings(unit)["[Unit]"]["Description"]
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    texts = {
        one.name: one.read_text()
        .replace(PROGRAM, MSGLOG)
        .replace("/usr/local/lib/msglog/", f"{FILES}/")
        for one in UNITS
    }
    check_unit(program, unit.name, texts, tmp_path)


def test_the_drop_in_is_one_for_debians_unit() -> None:
    found = settings(FILES / "patroni.service.d" / "msglog.conf")
    assert found["[Service]"]["Restart"] == ["always"]
    assert "etcd.service" in found["[Unit]"]["After"][0]


def test_sshd_takes_the_settings_and_asks_the_database(tmp_path: Path) -> None:
    make_key(tmp_path / "host")
    config = tmp_path / "sshd_config"
    ours = (FILES / "sshd_config.d" / "60-msglog.conf").read_text()
    config.write_text(f"{ours}\nHostKey {tmp_path}/host\nPasswordAuthentication yes\n")
    words = [find_sshd(), "-t", "-f", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    told = {}
    for user in ("server", "nobody"):
        words = [find_sshd(), "-T", "-f", str(config), "-C", f"user={user},host=x,addr=192.0.2.1"]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        told[user] = done.stdout
    for line in (
        "authorizedkeysfile none",
        "authorizedkeyscommanduser server",
        "passwordauthentication no",
        "disableforwarding yes",
        "permittty no",
        "authenticationmethods publickey",
    ):
        assert f"\n{line}\n" in told["server"]
    assert "msglog authorized-keys %u %f\n" in told["server"]
    assert "authorizedkeyscommand none\n" in told["nobody"]
    assert "passwordauthentication yes\n" in told["nobody"]


def test_newer_sshds_shut_nobody_out_who_waited(tmp_path: Path) -> None:
    make_key(tmp_path / "host")
    config = tmp_path / "sshd_config"
    ours = (FILES / "sshd_config.d" / "61-msglog-penalties.conf").read_text()
    config.write_text(f"{ours}\nHostKey {tmp_path}/host\n")
    words = [find_sshd(), "-T", "-f", str(config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if shuts_out():
        assert " grace-exceeded:0 " in done.stdout
    else:
        assert "Bad configuration option: PerSourcePenalties" in done.stderr


def archive(wal: Path, source: Path, name: str, path: str = os.environ["PATH"]) -> int:
    words = [str(FILES / "archive-wal"), str(source), name]
    environment = {"PATH": path, "MSGLOG_WAL": str(wal)}
    return subprocess.run(words, env=environment, check=False, capture_output=True).returncode


def test_the_archive_keeps_what_it_has(tmp_path: Path) -> None:
    folder = tmp_path / "wal"
    source = tmp_path / "source"
    source.write_bytes(b"as it was written")
    assert archive(folder, source, "1") != 0  # the disk is not mounted
    folder.mkdir()
    assert archive(folder, source, "1") == 0
    assert archive(folder, source, "1") == 0  # PostgreSQL asks again after a crash
    source.write_bytes(b"something else")
    assert archive(folder, source, "1") != 0
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {
        "1": b"as it was written"
    }


@pytest.mark.parametrize("same", [True, False])
def test_two_nodes_may_archive_the_same_at_once(tmp_path: Path, *, same: bool) -> None:
    """Another node's file appears while ours is written."""
    folder, source, programs = tmp_path / "wal", tmp_path / "source", tmp_path / "bin"
    folder.mkdir()
    source.write_bytes(b"as it was written")
    other = tmp_path / "other"
    other.write_bytes(b"as it was written" if same else b"something else")
    programs.mkdir()
    slow = programs / "cp"
    slow.write_text(f'#!/bin/sh\n/bin/cp "$@" && ln {other} {folder}/1\n')
    slow.chmod(0o755)
    status = archive(folder, source, "1", f"{programs}:{os.environ['PATH']}")
    assert (status == 0) is same
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == {"1": other.read_bytes()}


def test_what_a_primary_had_not_archived_is_archived_by_the_others() -> None:
    (mode,) = re.findall(
        r'^        archive_mode: "?(\w+)"?$', (FILES / "patroni.yml").read_text(), re.MULTILINE
    )
    with folder() as place:
        wal, script = place / "wal", place / "archive"
        wal.mkdir()
        give(wal)
        shutil.copy(FILES / "archive-wal", place)
        # The primary's own way to the disk is gone; that of the others is not.
        script.write_text(
            f"#!/bin/sh\n[ ! -e {place}/gone/$(basename $(dirname $PWD)) ] &&"
            f' MSGLOG_WAL={wal} exec {place}/archive-wal "$@"\n'
        )
        script.chmod(0o755)
        command = f"archive_command={script} %p %f"
        with (
            running_server((*FAST, f"archive_mode={mode}", command)) as primary,
            following(primary) as standby,
        ):
            (place / "gone").mkdir()
            (place / "gone" / primary.folder.name).touch()
            primary.query("CREATE TABLE told (number INTEGER)")
            ((segment,),) = primary.query("SELECT pg_walfile_name(pg_switch_wal())")
            primary.query("INSERT INTO told VALUES (1)")
            ((position,),) = primary.query("SELECT pg_current_wal_flush_lsn()")
            behind = f"SELECT pg_last_wal_replay_lsn() < '{position}'"
            wait_for("the standby", lambda: standby.query(behind) == [(False,)], 60)
            primary.kill()
            standby.query("SELECT pg_promote()")
            standby.query("CREATE TABLE more (number INTEGER)")
            ((later,),) = standby.query("SELECT pg_walfile_name(pg_switch_wal())")
            wait_for("the archive", (wal / str(later)).exists, 60)
            assert (wal / str(segment)).exists()


@pytest.fixture
def archived() -> Iterator[tuple[Server, Path]]:
    """A server that archives; the folder is beside its data, where it may write."""
    with running_server() as server:
        backups = server.folder / "backups"
        for folder in (backups, backups / "wal"):
            folder.mkdir()
            give(folder)
        for name in ("archive-wal", "base-backup"):
            shutil.copy(FILES / name, server.folder)
            give(server.folder / name)
        command = f"MSGLOG_WAL={backups}/wal {server.folder}/archive-wal %p %f"
        server.settings = (*FAST, "archive_mode=on", f"archive_command={command}")
        server.start_again()
        allow_copies(server)
        yield server, backups


def back_up(server: Server, backups: Path, keep: int) -> None:
    more = {"MSGLOG_BACKUPS": str(backups), "MSGLOG_KEEP": str(keep)}
    more |= {"PGHOST": str(server.folder), "PGPORT": str(server.running.port), "PGUSER": LOGIN}
    run([str(server.folder / "base-backup")], more=more)


def restore_lines(backups: Path, copy: Path, restored: Path) -> Iterator[str]:
    """Yield the page's commands, for other folders."""
    for line in page_lines():
        if "/restored" in line:
            there = re.sub(r"/var/backups/postgresql/base-\S+", str(copy), line)
            there = there.replace("/var/backups/postgresql", str(backups))
            yield there.replace("/var/lib/postgresql/15/restored", str(restored))


def test_a_database_comes_back_with_what_was_written_after_the_copy(
    archived: tuple[Server, Path],
) -> None:
    server, backups = archived
    for old in ("base-20200101T000000Z", "base-20200102T000000Z"):
        folder = backups / old
        folder.mkdir()
        give(folder)
    server.query("CREATE TABLE told (number INTEGER)")
    server.query("INSERT INTO told VALUES (1)")
    back_up(server, backups, 1)
    # The newest is kept, and the WAL that it needs.
    (copy,) = backups.glob("base-*")
    (begins,) = re.findall(r"\(file ([0-9A-F]{24})\)", (copy / "backup_label").read_text())
    assert min(path.name[:24] for path in (backups / "wal").iterdir()) >= begins
    server.query("INSERT INTO told VALUES (2)")
    ((segment,),) = server.query("SELECT pg_walfile_name(pg_switch_wal())")
    wait_for("the archive", (backups / "wal" / str(segment)).exists, 60)
    restored = server.folder / "restored"
    restored.mkdir()
    give(restored)
    for line in restore_lines(backups, copy, restored / "data"):
        run(["sh", "-c", line])
    server.kill()
    again = Server.start(restored, FAST)
    try:
        wait_for("the end", lambda: again.query("SELECT pg_is_in_recovery()") == [(False,)], 60)
        assert again.query("SELECT number FROM told ORDER BY 1") == [(1,), (2,)]
    finally:
        again.close()
