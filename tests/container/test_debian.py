"""The recipe for a Debian host, on one that systemd has booted as its first process.

Of docs/deploy/debian.md each command is typed as it stands, but that `apt` has run before, and that
sshd listens on another port, because the container shares the host's network.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.container.client import Client
from tests.container.engine import (
    BASE,
    READY_SECONDS,
    ROOT,
    Container,
    Engine,
    EngineError,
    running,
)
from tests.test_deployment import SERVICES, TIMERS, blocks

IMAGE = "localhost/msglog-debian-host"
HOST = f"""\
FROM {BASE}
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \\
    systemd systemd-sysv dbus acl openssh-server pipx python3-venv
RUN systemctl mask getty.target console-getty.service dev-hugepages.mount sys-kernel-debug.mount \\
    sys-kernel-tracing.mount systemd-modules-load.service systemd-sysctl.service \\
    systemd-udevd.service systemd-udev-trigger.service && mkdir -p /var/lib/prometheus/node-exporter
STOPSIGNAL SIGRTMIN+3
CMD ["/lib/systemd/systemd"]
"""
"""Nothing of it touches the kernel or the devices, which are the host's."""

SOURCES = (
    "msglog",
    "plumbing",
    "porcelain",
    "docs",
    "pyproject.toml",
    "hatch_build.py",
    "README.md",
)
INSIDE = """\
[Service]
ExecStart=
ExecStart=/bin/sh -c 'touch /var/lib/msglog/inside && ! touch /var/backups/msglog/outside && ! touch /etc/outside && ! ls /home/else'
"""
"""What the sandbox of gc lets through, and what not."""

METRICS = "/var/lib/prometheus/node-exporter/msglog.prom"


@pytest.fixture
def host(engine: Engine, tmp_path: Path) -> Iterator[Container]:
    """A booted Debian with msglog's sources in /src."""
    if not engine.is_podman:
        raise EngineError("only podman boots a container with systemd as its first process")
    folder = tmp_path / "host"
    folder.mkdir()
    (folder / "Dockerfile").write_text(HOST)
    engine.build(IMAGE, folder)
    options = ["--systemd=always", "--cap-add", "SYS_ADMIN", "--security-opt", "seccomp=unconfined"]
    for name in SOURCES:
        options += ["--volume", f"{ROOT / name}:/src/{name}:ro"]
    if bundle := os.environ.get("PIP_CERT"):
        options += ["--volume", f"{bundle}:/hostca.crt:ro", "--env", "PIP_CERT=/hostca.crt"]
    with running(engine, *options, image=IMAGE) as container:
        until = time.monotonic() + READY_SECONDS
        while container.exec("systemctl", "is-system-running", check=False).output != "running\n":
            assert time.monotonic() < until, container.exec("systemctl", "--failed").output
            time.sleep(0.05)
        port = f"echo Port {container.port} >/etc/ssh/sshd_config.d/10-port.conf"
        container.exec("sh", "-c", f"{port} && systemctl restart ssh && cp -r /src /root/msglog")
        yield container


def typed(host: Container, lines: list[str], user: str = "root", given: str = "") -> None:
    """Type lines into one shell, which ends with the first that fails."""
    script = "set -e\n" + "\n".join(lines)
    shell = ["bash", "-c", f"cd /root/msglog\n{script}"]
    if user != "root":
        shell = ["su", "-s", "/bin/bash", "-", user, "-c", f"exec <<'END'\n{given}\nEND\n{script}"]
    host.exec(*shell)


def test_the_recipe_under_a_running_systemd(host: Container, admin: Client) -> None:
    install, account, timers, *_ = blocks()
    assert install[0].startswith("apt install ")
    typed(host, install[1:])
    typed(host, account, user="server", given=admin.public_key)
    typed(host, timers)
    listed = host.exec("systemctl", "list-timers", "--no-pager").output
    assert all(timer.name in listed for timer in TIMERS)

    for service in SERVICES:
        host.exec("systemctl", "start", service.name)
    assert host.exec("systemctl", "is-system-running").output == "running\n"
    check = 'msglog admin restore --dry-run "/var/backups/msglog/account-day-$(date +%u).tar"'
    typed(host, [check], user="server")
    exposed = host.exec("cat", METRICS).output
    assert "msglog_last_backup_timestamp_seconds" in exposed

    key = host.exec("cat", "/etc/ssh/ssh_host_ed25519_key.pub").output.split()[:2]
    known = admin.home / ".ssh" / "known_hosts"
    known.write_text(f"[127.0.0.1]:{host.port} {' '.join(key)}\n")
    admin.msglog("init", "-q")
    admin.msglog("remote", "add", "origin", f"ssh://server@127.0.0.1:{host.port}")
    admin.msglog("add", "through Debian's own sshd")
    assert "1 pushed" in admin.msglog("push")
    journal = host.exec("journalctl", "-t", "msglog", "--no-pager").output
    assert "user=ann" in journal
    assert "operation=push" in journal

    try_the_sandbox(host)
    try_a_timer(host)


def try_the_sandbox(host: Container) -> None:
    folder = "/etc/systemd/system/msglog-gc.service.d"
    lines = f"mkdir -p {folder} /home/else && cat >{folder}/try.conf <<'END'\n{INSIDE}END"
    host.exec("sh", "-c", lines)
    host.exec("systemctl", "daemon-reload")
    host.exec("systemctl", "start", "msglog-gc.service")
    assert host.exec("ls", "/var/lib/msglog").output == "inside\n"


def try_a_timer(host: Container) -> None:
    folder = "/etc/systemd/system/msglog-metrics.timer.d"
    lines = "[Timer]\\nOnCalendar=*:*:*\\nAccuracySec=1ms"
    host.exec("sh", "-c", f"mkdir -p {folder} && printf '{lines}\\n' >{folder}/often.conf")
    host.exec("rm", METRICS)
    host.exec("systemctl", "daemon-reload")
    host.exec("systemctl", "restart", "msglog-metrics.timer")
    until = time.monotonic() + READY_SECONDS
    while host.exec("test", "-s", METRICS, check=False).status:
        assert time.monotonic() < until, host.exec("journalctl", "-u", "msglog-metrics").output
        time.sleep(0.05)
