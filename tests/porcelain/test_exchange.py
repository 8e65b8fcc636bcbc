"""What the commands that talk to a remote share: how they go on, and when they must not."""

from argparse import Namespace

import pytest

from msglog.errors import NotAuthorisedError
from msglog.repository import Repository
from msglog.wire.batch import Item
from porcelain import push
from tests.plumbing.peers import START, add, message
from tests.porcelain.world import World


def test_a_refusal_that_ends_the_session_ends_the_command(world: World) -> None:
    def revoke(_: Item) -> None:
        world.rights.revoked = True

    world.server.repository.create_log("other", time=START)
    with_two = Repository.open(world.folder / ".msglog")
    with_two.create_log("other", time=START)
    for number, log in enumerate(("main", "other")):
        add(with_two, message(number), log=log)
    with_two.close()
    world.server.policy = revoke
    with pytest.raises(NotAuthorisedError):
        push.run(Namespace(remote="origin", logs=[], dry_run=False), world.context)
    assert world.server.repository.log("other").count == 0
