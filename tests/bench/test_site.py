"""What a user's ssh_config says of the links."""

from pathlib import Path

from tests.bench.proxy import Traffic
from tests.bench.site import DEFAULT, REUSED, Site


def test_each_user_has_a_socket_of_its_own_for_one_link_alone(site: Site) -> None:
    links = Site(site.folder, site.sshds, {DEFAULT: 1, REUSED: 1}, Traffic(), Path("/tmp/ml-1"))
    texts = [links.make_user(name).config.read_text() for name in ("git-10000", "msglog-10000")]
    for text, name in zip(texts, ("git-10000", "msglog-10000"), strict=True):
        before, reused = text.split(f"Host {REUSED}\n")
        assert "Control" not in before
        assert f"ControlPath /tmp/ml-1/{name}\n" in reused
        assert "ControlMaster auto\n" in reused
