"""The recipe for Debian: its files are taken by those that read them, its commands are typed.

systemd does not run here (it does in `tests/container/test_debian.py`): units are looked at with
`systemd-analyze` where there is one, and always with a reader of our own.
"""

import os
import pwd
import re
import shlex
import shutil
import subprocess
import sys
import syslog
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest

from msglog.account.checkup import Start
from msglog.account.sshd_settings import Login, check_settings, parse_settings
from porcelain.admin import examination
from porcelain.admin.command import configure
from porcelain.parser import CommandParser
from tests.exposition import parse
from tests.porcelain.admin.running import Home
from tests.ssh.sshd import find_sshd, make_key

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "deploy" / "debian.md"
FILES = ROOT / "docs" / "deploy" / "debian"
UNITS = sorted((FILES / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
TIMERS = [unit for unit in UNITS if unit.suffix == ".timer"]
PROGRAM = "/usr/local/bin/msglog"
"""Where the page installs it."""

MSGLOG = str(Path(sys.executable).with_name("msglog"))
"""The tests' own."""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    made = Home(tmp_path / "home")
    made.path.mkdir()
    monkeypatch.setattr(examination, "sshd_settings", lambda *_: None)
    return made


def blocks() -> list[list[str]]:
    """The commands of the page, block by block."""
    found = re.findall(r"(?:^    .*\n)+", PAGE.read_text(), re.MULTILINE)
    return [[line[4:] for line in block.splitlines()] for block in found]


def settings(unit: Path) -> dict[str, dict[str, list[str]]]:
    """A unit as systemd reads it: sections, and in them each name with all its values."""
    found: dict[str, dict[str, list[str]]] = {}
    section: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if line.startswith("["):
            assert re.fullmatch(r"\[(Unit|Service|Timer|Install)\]", line), line
            assert line not in found
            section = found[line] = {}
        elif line and not line.startswith("#"):
            name, equals, value = line.partition("=")
            assert equals, line
            assert re.fullmatch("[A-Za-z0-9]+", name), line
            section.setdefault(name, []).append(value)
    return found


def commands(unit: Path) -> list[list[str]]:
    """The command lines of a service as words, as systemd passes them on."""
    service = settings(unit)["[Service]"]
    lines = [line for name, lines in service.items() if name.startswith("Exec") for line in lines]
    return [
        [word.replace("%%", "%").replace("$$", "$") for word in shlex.split(line)] for line in lines
    ]


def check_words(words: list[str]) -> None:
    """Have msglog's own parser take the words of a command, all of which are of `admin` here."""
    assert words[0] == "admin"
    parser = CommandParser(prog="msglog admin")
    configure(parser)
    parser.parse(words[1:], Namespace())


def msglog_lines(unit: Path) -> Iterator[list[str]]:
    """The words that msglog is called with in a service."""
    for words in commands(unit):
        line = words[2].replace("$(date +%u)", "1") if words[0] == "/bin/sh" else shlex.join(words)
        for part in line.split(" && "):
            called = shlex.split(part.removeprefix("exec "))
            if called[0] == PROGRAM:
                yield called[1:]


def check_unit(program: str, name: str, texts: dict[str, str], folder: Path) -> None:
    """Have systemd-analyze look at a unit among others. texts: all of them, by their names."""
    for other, text in texts.items():
        (folder / other).write_text(text)
    done = subprocess.run(
        [program, "verify", "--man=no", str(folder / name)],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": os.environ["PATH"], "SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    assert [line for line in done.stderr.splitlines() if "msglog" in line] == []
    assert done.returncode == 0, done.stderr


def test_each_service_has_a_timer_and_the_page_starts_it() -> None:
    assert [unit.stem for unit in SERVICES] == [unit.stem for unit in TIMERS]
    (start,) = [line for block in blocks() for line in block if line.startswith("systemctl enable")]
    assert start.split()[3:] == [unit.name for unit in TIMERS]
    for timer in TIMERS:
        assert settings(timer)["[Timer]"]["OnCalendar"]
        assert settings(timer)["[Install]"] == {"WantedBy": ["timers.target"]}


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_systemd_takes_the_units(unit: Path, tmp_path: Path) -> None:
    assert settings(unit)["[Unit]"]["Description"]
    program = shutil.which("systemd-analyze")
    if program is None:
        return
    texts = {one.name: one.read_text().replace(PROGRAM, MSGLOG) for one in UNITS}
    check_unit(program, unit.name, texts, tmp_path)


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_the_services_are_shut_in(unit: Path) -> None:
    service = settings(unit)["[Service]"]
    wanted = {
        "User": ["server"],
        "NoNewPrivileges": ["yes"],
        "CapabilityBoundingSet": [""],
        "ProtectSystem": ["strict"],
        "PrivateTmp": ["yes"],
        "PrivateNetwork": ["yes"],
        "SystemCallFilter": ["@system-service", "~@privileged @resources"],
    }
    assert {name: service[name] for name in wanted} == wanted
    (writable,) = service["ReadWritePaths"]
    named = {
        str(Path(word).parent) for words in msglog_lines(unit) for word in words if "/" in word
    }
    assert {"/var/lib/msglog", *named} == set(writable.split())
    program = shutil.which("systemd-analyze")
    if program is not None:
        done = subprocess.run(
            [program, "security", "--offline=true", "--threshold=10", str(unit)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr + done.stdout


def test_msglog_takes_the_command_lines_of_the_services() -> None:
    lines = [words for unit in SERVICES for words in msglog_lines(unit)]
    assert [words[:2] for words in lines] == [
        ["admin", "backup"],
        ["admin", "gc"],
        ["admin", "metrics"],
    ]
    for words in lines:
        check_words(words)


def test_the_services_do_what_the_page_says(home: Home, tmp_path: Path) -> None:
    home.do("init")
    root = tmp_path / "root"
    backups, collector = root / "var/backups/msglog", root / "var/lib/prometheus/node-exporter"
    for folder in (backups, collector):
        folder.mkdir(parents=True)
    for unit in SERVICES:
        for _ in range(2):  # also where there is an older file
            for words in commands(unit):
                moved = [
                    word.replace("/var/", f"{root}/var/").replace(PROGRAM, MSGLOG) for word in words
                ]
                subprocess.run(
                    moved, check=True, env={"HOME": str(home.path), "PATH": os.environ["PATH"]}
                )
    day, month = sorted(backups.iterdir())
    assert re.fullmatch("account-day-[1-7].tar", day.name)
    assert re.fullmatch("account-month-(0[1-9]|1[0-2]).tar", month.name)
    assert day.samefile(month)
    home.do("restore", "--dry-run", str(month))
    (file,) = collector.iterdir()
    assert file.stat().st_mode & 0o777 == 0o644
    found = parse(file.read_text())
    assert {"msglog_last_backup_timestamp_seconds", "msglog_last_gc_timestamp_seconds"} <= set(
        found
    )
    # The next night's backup leaves the month's alone.
    home.do("backup", "--force", str(day))
    assert not day.samefile(month)


def test_alerts_speak_of_metrics_that_there_are(home: Home) -> None:
    home.do("init")
    home.do("gc")
    home.do("backup", "account.tar")
    account = home.do("metrics").output
    names = {*re.findall("^# TYPE (msglog_[a-z_]+)", account, re.MULTILINE)}
    names |= {f"msglog_operation_duration_seconds{one}" for one in ("_bucket", "_sum", "_count")}
    rules = (FILES / "prometheus" / "msglog.rules.yml").read_text()
    asked = {*re.findall(r"\b(msglog_[a-z_]+)\b", rules)}
    assert {"msglog_up", "msglog_store_bytes", "msglog_operations_total"} <= asked
    assert asked <= names


def test_the_files_of_the_page_are_there_and_all_are_named() -> None:
    for block in blocks():
        for line in block:
            for pattern in re.findall(r"docs/deploy/debian/\S+", line):
                assert list(ROOT.glob(pattern)), pattern
    text = PAGE.read_text()
    for path in FILES.rglob("*.*"):
        if path.is_file() and path.parent.name != "systemd":
            assert path.relative_to(FILES).as_posix() in text


def test_the_installation_in_a_folder_that_stands_for_root(tmp_path: Path) -> None:
    install, *_ = blocks()
    root = tmp_path / "root"
    (root / "etc").mkdir(parents=True)
    for line in install:
        if line.startswith("install "):
            moved = line.replace(" /etc/", f" {root}/etc/")
            subprocess.run(["sh", "-c", moved], cwd=ROOT, check=True)
    installed = {path.name for path in root.rglob("*") if path.is_file()}
    assert installed == {"msglog.conf", "60-msglog.conf", *[unit.name for unit in UNITS]}
    program = shutil.which("systemd-sysusers")
    if program is not None:
        subprocess.run([program, f"--root={root}", "msglog.conf"], check=True, capture_output=True)
        (entry,) = (root / "etc/passwd").read_text().splitlines()
        assert entry.split(":")[0] == "server"
        assert entry.split(":")[4:] == ["Shared logs (msglog)", "/var/lib/msglog", "/bin/dash"]
    program = shutil.which("systemd-tmpfiles")
    if program is not None and os.geteuid() == 0:
        rules = root / "etc/tmpfiles.d/msglog.conf"
        # Names in access lists are looked up on this machine, which has no such user.
        rules.write_text(rules.read_text().replace("user:server:", "user:7:"))
        folder = root / "var/lib/prometheus/node-exporter"
        for there in (False, True):
            if there:
                folder.mkdir(parents=True)
            words = [program, f"--root={root}", "--create", "msglog.conf"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert (done.returncode, done.stderr) == (0, "")
        assert "system.posix_acl_access" in os.listxattr(folder)
        for name in ("var/lib/msglog", "var/backups/msglog"):
            assert (root / name).stat().st_mode & 0o777 == 0o700


def test_the_account_of_the_page(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told_syslog: list[str] = []
    monkeypatch.setattr(syslog, "syslog", lambda _, line: told_syslog.append(line))
    monkeypatch.setattr(examination, "start_through", lambda *_: Start())
    pasted = (home.path / home.public_key(1)).read_bytes()
    _, inside, *_ = blocks()
    assert len(inside) == 5
    for line in inside[:-1]:
        home.do(*shlex.split(line.removeprefix("msglog admin ")), stdin=pasted)
    assert [re.findall('operation="([^"]*)', line) for line in told_syslog] == [
        ["admin set"],
        ["admin user add"],
        ["admin key add"],
    ]
    doctor = home.admin(*shlex.split(inside[-1].removeprefix("msglog admin ")), "--json")
    assert "unusable" not in {record["code"] for record in doctor.records}


def test_every_other_command_of_msglog_on_the_page_is_one() -> None:
    lines = [line for block in blocks() for line in block if line.startswith("msglog ")]
    assert len(lines) >= 8
    for line in lines:
        words = shlex.split(line.replace("$(date +%u)", "1"))[1:]
        check_words(words)
    # What the page says that a service runs is what it runs.
    run = [shlex.split(line.replace("$(date +%u)", "1"))[1:] for line in lines]
    for unit in SERVICES:
        for words in msglog_lines(unit):
            assert words in run or words == ["admin", "gc"]


@pytest.fixture
def sshd_config(tmp_path: Path) -> Path:
    """Debian's own file, whose first line includes ours; whoever runs the tests is `server`."""
    make_key(tmp_path / "host")
    login = pwd.getpwuid(os.geteuid()).pw_name
    ours = (FILES / "sshd_config.d" / "60-msglog.conf").read_text()
    (tmp_path / "60-msglog.conf").write_text(ours.replace("User server", f"User server,{login}"))
    config = tmp_path / "sshd_config"
    config.write_text(
        f"Include {tmp_path}/*.conf\nKbdInteractiveAuthentication no\nUsePAM yes\n"
        "X11Forwarding yes\nPrintMotd no\nAcceptEnv LANG LC_*\nPasswordAuthentication yes\n"
        f"Subsystem sftp /usr/lib/openssh/sftp-server\nHostKey {tmp_path}/host\n"
    )
    return config


def told(config: Path, user: str) -> str:
    """What sshd itself says is in force for a user."""
    words = ["-T", "-f", str(config), "-C", f"user={user},host=x,addr=192.0.2.1"]
    done = subprocess.run([find_sshd(), *words], capture_output=True, text=True, check=True)
    return done.stdout


def in_force(config: Path, user: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in told(config, user).splitlines():
        name, _, value = line.partition(" ")
        found.setdefault(name, []).append(value)
    return found


def test_sshd_takes_the_settings(sshd_config: Path) -> None:
    words = [find_sshd(), "-t", "-f", str(sshd_config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for_server, for_others = in_force(sshd_config, "server"), in_force(sshd_config, "nobody")
    wanted = {
        "authenticationmethods": "publickey",
        "pubkeyauthentication": "yes",
        "passwordauthentication": "no",
        "kbdinteractiveauthentication": "no",
        "hostbasedauthentication": "no",
        "authorizedkeysfile": ".ssh/authorized_keys",
        "disableforwarding": "yes",
        "allowagentforwarding": "no",
        "x11forwarding": "no",
        "permittunnel": "no",
        "permittty": "no",
        "permituserrc": "no",
        "permituserenvironment": "no",
        "strictmodes": "yes",
        "forcecommand": "none",
        "clientaliveinterval": "60",
        "clientalivecountmax": "3",
        "loglevel": "VERBOSE",
    }
    assert {name: for_server[name] for name in wanted} == {
        name: [value] for name, value in wanted.items()
    }
    for name, value in (
        ("passwordauthentication", "yes"),
        ("x11forwarding", "yes"),
        ("permittty", "yes"),
        ("disableforwarding", "no"),
    ):
        assert for_others[name] == [value]
    for settings_ in (for_server, for_others):
        assert settings_["maxstartups"] == ["30:30:100"]
        assert settings_["persourcemaxstartups"] == ["10"]
        assert settings_["persourcenetblocksize"] == ["32:64"]
        assert settings_["logingracetime"] == ["20"]


@pytest.mark.parametrize(
    "line",
    ["MaxStartups 5", "PerSourceMaxStartups 5", "LoginGraceTime 5", "PermitUserEnvironment no"],
)
def test_what_the_page_keeps_out_of_the_match_block_sshd_refuses_there(
    sshd_config: Path, line: str
) -> None:
    ours = sshd_config.with_name("60-msglog.conf")
    ours.write_text(ours.read_text().replace("    PermitTTY no\n", f"    {line}\n"))
    words = [find_sshd(), "-t", "-f", str(sshd_config)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "not allowed within a Match block" in done.stderr


def test_doctor_has_nothing_against_them(sshd_config: Path) -> None:
    login = Login("server", 999, "/var/lib/msglog", "/var/lib/msglog/.ssh/authorized_keys")
    assert check_settings(parse_settings(told(sshd_config, "server")), login, 1) == []
    assert check_settings(parse_settings(told(sshd_config, "nobody")), login, 1) != []
