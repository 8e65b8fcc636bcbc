"""Access to a repository of one's own."""

import pytest

from msglog.account.role import Capability
from msglog.wire.encoder import encode_event
from msglog.wire.events import Greeting
from msglog.wire.reader import EventReader
from plumbing.direct import DirectPermissions


@pytest.mark.parametrize("capability", Capability)
def test_everything_is_allowed(capability: Capability) -> None:
    permissions = DirectPermissions("ann")
    assert permissions.may(capability, "main")
    permissions.check()


@pytest.mark.parametrize("login", ["ann", "Jörg Müller", "a b", "", "x" * 500, "a\nb", "\udcff"])
def test_any_login_can_be_greeted(login: str) -> None:
    greeting = Greeting("msglog/1", bytes(16), DirectPermissions(login).user, "admin")
    assert list(EventReader().receive(encode_event(greeting))) == [greeting]
