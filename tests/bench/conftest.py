"""A site without an sshd, for what never connects."""

from pathlib import Path

import pytest

from tests.bench.msglog import Msglog
from tests.bench.proxy import Traffic
from tests.bench.site import DEFAULT, Site
from tests.ssh.sshd import Sshd


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setattr(Sshd, "host_key", property(lambda _: "ssh-ed25519 AAAA"))
    (tmp_path / "sshd").mkdir()
    sshd = Sshd(tmp_path / "sshd", 1, "nobody", 0)
    return Site(tmp_path, {DEFAULT: sshd}, {DEFAULT: 1}, Traffic(), tmp_path)


@pytest.fixture
def peer(site: Site) -> Msglog:
    return Msglog(site, site.folder / "1" / "msglog")
