"""The image built and run for real: first start, what it gives away, ends of every kind."""

import re
import subprocess
import threading
from pathlib import Path

import pytest

from tests.container.client import MSGLOG, Client
from tests.container.engine import IMAGE, LIMITS, Container, Done, Engine, running, volumes

STOP_SECONDS = 3.0
KEPT = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID", "SYS_CHROOT")
CAPABILITIES = ("--cap-drop", "ALL", *(word for name in KEPT for word in ("--cap-add", name)))


def join(server: Container, admin: Client, home: Path, role: str = "write") -> Client:
    """Let somebody in from afar, as the administrator does."""
    user = Client.make(home)
    admin.msglog("admin", "user", "add", home.name, "--role", role, "--remote", "origin")
    admin.msglog("admin", "key", "add", home.name, "--remote", "origin", given=user.public_key)
    user.meet(server)
    return user


def there(server: Container, *words: str) -> Done:
    """Run msglog in the server's account, as somebody with a terminal there would."""
    variables = ("HOME=/data", "MSGLOG_DIR=/data/.msglog-server/repositories/main")
    return server.exec("env", *variables, "msglog", *words, user="server", check=False)


def verified(server: Container) -> str:
    """What `verify` says of the repository, which must be sound."""
    done = there(server, "verify")
    assert done.status == 0, done
    return done.output


SHOW_PROCESSES = r"""
for folder in /proc/[0-9]*; do
    [ "$folder" = /proc/$$ ] && continue
    state=$(sed -n 's/^State:\t\(.\).*/\1/p' "$folder/status") || continue
    echo "$(stat -c %u "$folder") $state $(tr '\0' ' ' <"$folder/cmdline")"
done
"""


def processes(server: Container) -> list[list[str]]:
    """The user id, the state and the command line of each process, the init first."""
    lines = server.exec("sh", "-c", SHOW_PROCESSES).output.splitlines()
    return [line.split(None, 2) for line in lines if "SHOW" not in line]


def test_the_first_start_makes_an_administrator_who_does_the_rest_from_afar(
    server: Container, admin: Client, tmp_path: Path
) -> None:
    ann = join(server, admin, tmp_path / "ann")
    ann.msglog("add", "-q", "hello")
    assert "1 pushed" in ann.msglog("push", "origin")
    assert "1 pulled" in admin.msglog("pull", "origin")
    assert "all good" in admin.msglog("admin", "key", "check", "--remote", "origin")
    assert "refs/logs/main: 1 message" in verified(server)


def test_the_doctor_finds_nothing(server: Container) -> None:
    done = there(server, "admin", "doctor")
    assert done.status == 0, done.output
    assert done.output.splitlines()[-1].endswith("all is well")


def test_a_mounted_file_makes_the_administrator(engine: Engine, tmp_path: Path) -> None:
    boss = Client.make(tmp_path / "boss")
    key = boss.home / ".ssh" / "id_ed25519.pub"
    with running(
        engine, "--volume", f"{key}:/admin.pub:ro", environment={"MSGLOG_ADMIN": "boss"}
    ) as server:
        server.wait_until_it_listens()
        boss.meet(server)
        assert re.search(
            r"^boss +admin ",
            boss.msglog("admin", "user", "list", "--remote", "origin"),
            re.MULTILINE,
        )


def test_a_key_that_comes_later_makes_no_second_administrator(
    engine: Engine, admin: Client, tmp_path: Path
) -> None:
    mallory = Client.make(tmp_path / "mallory")
    with volumes(engine, "data", "keys") as (data, keys):
        places = ("--volume", f"{data}:/data", "--volume", f"{keys}:/keys")
        for who, name in ((admin, "admin"), (mallory, "mallory")):
            with running(
                engine,
                *places,
                environment={"MSGLOG_ADMIN_KEY": who.public_key, "MSGLOG_ADMIN": name},
            ) as server:
                server.wait_until_it_listens()
                assert "mallory" not in there(server, "admin", "user", "list").output


@pytest.mark.parametrize("bad", ["ssh-ed25519 AAAA", "no key at all", 'command="x" ssh-rsa AAAA'])
def test_a_key_that_is_none_ends_the_start_and_the_next_one_begins_again(
    engine: Engine, admin: Client, bad: str
) -> None:
    with volumes(engine, "data", "keys") as (data, keys):
        places = ("--volume", f"{data}:/data", "--volume", f"{keys}:/keys")
        with running(engine, *places, environment={"MSGLOG_ADMIN_KEY": bad}) as server:
            assert server.wait_until_it_ends() == 1
            assert "the key of the first administrator was refused" in server.logs()
        given = {"MSGLOG_ADMIN_KEY": admin.public_key}
        with running(engine, *places, environment=given) as server:
            server.wait_until_it_listens()
            admin.meet(server)
            admin.msglog("admin", "user", "list", "--remote", "origin")


def test_nobody_gets_anything_but_msglog(server: Container, admin: Client) -> None:
    ssh = ["ssh", *admin.ssh_options(server)]
    assert "nothing else" in admin.run(*ssh, "server@127.0.0.1", "id").output
    for user in ("root", "sshd", "nobody"):
        assert "Permission denied" in admin.run(*ssh, f"{user}@127.0.0.1", "id").output
    done = admin.run(*ssh, "-tt", "server@127.0.0.1", "sh")
    assert "PTY allocation request failed" in done.output
    done = admin.run(
        *ssh, "-N", "-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1", "server@127.0.0.1"
    )
    assert "remote port forwarding failed" in done.output
    done = admin.run(*ssh, "-W", "127.0.0.1:1", "server@127.0.0.1")
    assert "administratively prohibited" in done.output
    password = ["-o", "PubkeyAuthentication=no", "-o", "PreferredAuthentications=password"]
    assert "(publickey)" in admin.run(*ssh, *password, "server@127.0.0.1").output


def test_health_is_a_greeting_and_leaves_no_record(server: Container) -> None:
    before = there(server, "admin", "audit").output
    assert server.health().status == 0
    assert there(server, "admin", "audit").output == before


@pytest.mark.parametrize("harm", ["mv /data/.msglog-server /data/gone", "mv /opt/msglog /opt/gone"])
def test_health_is_bad_where_sshd_runs_and_msglog_does_not(server: Container, harm: str) -> None:
    server.exec("sh", "-c", harm)
    done = server.health()
    assert done.status == 1
    assert "no greeting: " in done.output


def test_the_health_checks_user_sees_no_log(server: Container, admin: Client) -> None:
    admin.msglog("add", "-q", "secret")
    admin.msglog("push", "origin")
    key = server.exec("cat", "/keys/health").output
    (admin.home / ".ssh" / "id_ed25519").write_text(key)
    assert admin.msglog("ls-remote", "origin") == ""
    assert "not authorised" in admin.msglog("fetch", "origin", "main", status=3)


def test_a_stop_is_quick_and_the_next_start_goes_on(server: Container, admin: Client) -> None:
    admin.msglog("add", "-q", "before")
    admin.msglog("push", "origin")
    took = server.stop()
    assert took < STOP_SECONDS
    assert server.state()["ExitCode"] in (0, 143)
    server.start()
    server.wait_until_it_listens()
    admin.msglog("add", "-q", "after")
    assert "1 pushed, 2 in all" in admin.msglog("push", "origin")


@pytest.mark.parametrize("way", ["stop", "kill"])
def test_an_end_in_mid_push_loses_nothing_that_was_acknowledged(
    server: Container, admin: Client, way: str
) -> None:
    lines = "".join(f"message {number} {'x' * 200}\n" for number in range(60_000))
    admin.msglog("add", "-q", "--batch", given=lines)
    with subprocess.Popen(
        [MSGLOG, "push", "origin", "--progress"],
        cwd=admin.home,
        env=admin.environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as push:
        # The session is there once the audit has its first batch.
        for _ in range(400):
            shown = there(server, "admin", "audit").output
            if " push " in shown or push.poll() is not None:
                break
        server.engine.call("kill", server.name) if way == "kill" else server.stop()
        assert push.stderr is not None
        said = push.stderr.read().decode()
        assert push.wait() in (0, 4), said
        assert "Traceback" not in said
    known = int(admin.msglog("for-each-ref", "--json").count("refs/remotes"))
    assert known <= 1
    server.start()
    server.wait_until_it_listens()
    assert "60000 in all" in admin.msglog("push", "origin")
    assert "refs/logs/main: 60000 messages" in verified(server)


def test_many_sessions_leave_no_zombies(server: Container, admin: Client) -> None:
    threads = [
        threading.Thread(target=admin.run, args=(str(MSGLOG), "ls-remote", "origin"))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [state for _, state, _ in processes(server)] == ["S", "S"]


def test_a_root_that_cannot_be_written_and_few_capabilities_do(
    engine: Engine, admin: Client
) -> None:
    with running(
        engine,
        *("--read-only", "--tmpfs", "/tmp", "--security-opt", "no-new-privileges"),
        *CAPABILITIES,
        environment={"MSGLOG_ADMIN_KEY": admin.public_key},
    ) as server:
        server.wait_until_it_listens()
        admin.meet(server)
        admin.msglog("add", "-q", "--batch", given="".join(f"line {n}\n" for n in range(3000)))
        assert "3000 pushed" in admin.msglog("push", "origin")
        assert "compressed 3000" in admin.msglog("admin", "gc", "--remote", "origin")
        assert server.health().status == 0
        assert server.exec("touch", "/x", check=False).status == 1


def test_a_volume_of_somebody_else_is_named_and_left_alone(engine: Engine, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    (folder / "letter").write_text("private")
    before = folder.stat()
    with running(engine, "--volume", f"{folder}:/data") as server:
        assert server.wait_until_it_ends() == 1
        assert "the volume /data belongs to uid" in server.logs()
        assert "chown" in server.logs()
    after = folder.stat()
    assert (after.st_uid, after.st_mode) == (before.st_uid, before.st_mode)


def test_an_empty_folder_of_the_host_is_taken(engine: Engine, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("data", "keys")]
    for folder in folders:
        folder.mkdir(mode=0o755)
    places = [word for path in folders for word in ("--volume", f"{path}:/{path.name}")]
    with running(engine, *places) as server:
        server.wait_until_it_listens()
        assert server.health().status == 0
        assert (folders[1].stat().st_mode & 0o777) == 0o700


def test_a_full_volume_is_said_and_harms_nothing(engine: Engine, admin: Client) -> None:
    with running(
        engine,
        *("--tmpfs", "/data:size=3m,mode=700"),
        environment={"MSGLOG_ADMIN_KEY": admin.public_key},
    ) as server:
        server.wait_until_it_listens()
        admin.meet(server)
        admin.msglog("add", "-q", "first")
        admin.msglog("push", "origin")
        lines = "".join(
            f"{number} {number * 7919 % 10007} {'y' * 300}\n" for number in range(20_000)
        )
        admin.msglog("add", "-q", "--batch", given=lines)
        said = admin.msglog("push", "origin", status=4)
        assert "server" in said
        assert len(said.strip().splitlines()) == 1
        assert "sound" in verified(server)


def test_host_keys_outlast_the_container_and_differ_between_servers(engine: Engine) -> None:
    seen = []
    with volumes(engine, "keys", "other") as names:
        for name in (names[0], names[0], names[1]):
            with running(engine, "--volume", f"{name}:/keys") as server:
                server.wait_until_it_listens()
                seen.append(server.exec("cat", "/keys/ssh_host_ed25519_key.pub").output)
    assert seen[0] == seen[1] != seen[2]


def test_no_layer_holds_a_key(engine: Engine) -> None:
    found = engine.call(
        "run", "--rm", "--network", "host", *LIMITS, "--entrypoint", "sh", IMAGE, "-c",
        "ls -A /data /keys; find / -xdev -name 'ssh_host_*'; "
        "grep -rlxE -- '-----BEGIN [A-Z ]*PRIVATE KEY-----' /etc /opt /usr/local /root /var /home; "
        "find / -xdev -perm /6000 -type f; command -v gcc cc pip; env | grep -i cert; true",
    ).output.split()  # fmt: skip
    assert found == ["/data:", "/keys:"], found
    history = engine.call("history", "--no-trunc", IMAGE).output
    assert "PRIVATE" not in history


def test_what_runs(server: Container, admin: Client) -> None:
    """What `ps` shows: an init and sshd, nothing else, and nothing of ours as root."""
    shown = processes(server)
    assert [uid for uid, _, _ in shown] == ["0", "0"]
    assert shown[0][2].startswith("/usr/bin/tini -- ")
    assert shown[1][2].startswith("sshd: /usr/sbin/sshd -D -e")
    with subprocess.Popen(
        ["ssh", *admin.ssh_options(server), "server@127.0.0.1", "msglog receive-pack"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=admin.environment,
    ) as session:
        assert session.stdout is not None
        assert session.stdout.read(4) == b"000c"
        ours = [uid for uid, _, line in processes(server) if "receive-pack" in line]
        assert set(ours) == {"10022"}
        session.terminate()


NEWER = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version = 99')"


def make_newer(server: Container, path: str) -> None:
    """Say of a database that a msglog of later days has written it."""
    python = ("/opt/msglog/bin/python", "-c", NEWER, f"/data/.msglog-server/{path}")
    server.exec(*python, user="server")


def test_a_repository_of_a_newer_format_is_refused_and_left_alone(
    server: Container, admin: Client
) -> None:
    path = "repositories/main/store.db"
    make_newer(server, path)
    before = server.exec("sha256sum", f"/data/.msglog-server/{path}").output
    admin.msglog("add", "-q", "later")
    said = admin.msglog("push", "origin", status=4)
    assert len(said.splitlines()) == 1
    assert server.exec("sha256sum", f"/data/.msglog-server/{path}").output == before


def test_an_account_of_a_newer_format_ends_the_start(server: Container) -> None:
    make_newer(server, "account.db")
    server.stop()
    server.start()
    assert server.wait_until_it_ends() not in (0, None)
    assert "newer" in server.logs()
