"""The recipe for a cluster of PostgreSQL: its files are taken by those that read them, its backups come back."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.high_availability.owner import give, run, wait_for
from tests.high_availability.postgresql import Server, allow_copies, running_server
from tests.postgres.server import FAST, LOGIN
from tests.ssh.sshd import find_sshd, make_key
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


def test_patroni_takes_its_file(tmp_path: Path) -> None:
    program = shutil.which("patroni")
    if program is None:
        return
    file = tmp_path / "patroni.yml"
    file.write_text((FILES / "patroni.yml").read_text().replace("192.0.2.1", "127.0.0.2"))
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


def archive(folder: Path, source: Path, name: str) -> int:
    words = [str(FILES / "archive-wal"), str(source), name]
    environment = {"PATH": os.environ["PATH"], "MSGLOG_WAL": str(folder)}
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
