"""The volumes of an older image under the newer one, and back: moved on, or refused in a line."""

import io
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.container.client import Client
from tests.container.engine import IMAGE, ROOT, Container, Engine, running, volumes

OLDER = "2e184aa"
"""The commit of an image whose stores have format 2 and whose accounts have format 1."""


@pytest.fixture(scope="session")
def older(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The image that this repository's own history makes."""
    git = ["git", "-C", str(ROOT), "archive", OLDER]
    archive = subprocess.run(git, check=True, capture_output=True).stdout
    folder = tmp_path_factory.mktemp("older")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return engine.build(f"{IMAGE}-older", folder)


def inside(server: Container, *words: str) -> str:
    """Run msglog in the account's repository."""
    variables = ("HOME=/data", "MSGLOG_DIR=/data/.msglog-server/repositories/main")
    return server.exec("env", *variables, "msglog", *words, user="server").output


def test_an_older_images_volumes_go_on_and_do_not_go_back(
    engine: Engine, older: str, admin: Client
) -> None:
    with volumes(engine, "data", "keys") as (data, keys):
        places = ("--volume", f"{data}:/data", "--volume", f"{keys}:/keys")

        @contextmanager
        def server(image: str) -> Iterator[Container]:
            key = {"MSGLOG_ADMIN_KEY": admin.public_key}
            with running(engine, *places, image=image, environment=key) as container:
                yield container

        with server(older) as old:
            old.wait_until_it_listens()
            inside(old, "add", "-q", "--author", "ann", "from the older image")
            root = inside(old, "for-each-ref")
            old.stop()
        with server(IMAGE) as new:
            new.wait_until_it_listens()
            assert inside(new, "for-each-ref") == root
            admin.meet(new)
            assert "1 pulled" in admin.msglog("pull", "origin")
            admin.msglog("add", "-q", "from the newer image")
            assert "1 pushed, 2 in all" in admin.msglog("push", "origin")
            assert "sound" in inside(new, "verify")
            assert new.health().status == 0
            new.stop()
        with server(older) as back:
            assert back.wait_until_it_ends() not in (0, None)
            assert "newer" in back.logs()
        with server(IMAGE) as again:
            again.wait_until_it_listens()
            assert "2 in all" in admin_again(admin, again)


def admin_again(admin: Client, server: Container) -> str:
    """Have the administrator pull from the same server at its new port."""
    home: Path = admin.home
    key = server.exec("cat", "/keys/ssh_host_ed25519_key.pub").output.strip()
    (home / ".ssh" / "known_hosts").write_text(f"[127.0.0.1]:{server.port} {key}\n")
    admin.msglog("remote", "set-url", "origin", f"ssh://server@127.0.0.1:{server.port}")
    return admin.msglog("pull", "origin")
