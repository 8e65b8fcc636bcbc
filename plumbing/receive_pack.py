"""`receive-pack`: serves one client of a repository over standard input and output."""

from __future__ import annotations

import os

from msglog.account.account import DEFAULT_FOLDER, DEFAULT_REPOSITORY, Account
from msglog.account.audit import GREETING, REFUSED, Act, Trail, Visit
from msglog.account.name import InvalidRepositoryError
from msglog.account.record import UnknownRepositoryError
from msglog.account.role import Role
from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass, field
from msglog.errors import LocalError, MsglogError, NotAuthorisedError, UsageError
from msglog.repository import Repository
from msglog.version import __version__
from msglog.wire.encoder import encode_event
from msglog.wire.events import KeepAlive, PeerError
from msglog.wire.grammar import ProtocolError
from msglog.wire.request_line import (
    parse_direct_line,
    parse_request_line,
    parse_requests,
)
from plumbing.complaint import peer_error
from plumbing.conversation import converse
from plumbing.direct import DirectPermissions
from plumbing.heartbeat import Heartbeat
from plumbing.service import Service
from plumbing.transport.channel import ChannelError
from plumbing.transport.patience import Patience
from plumbing.transport.pipe import PipeChannel

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable

    from msglog.account.access import Access
    from msglog.account.audit import Audit
    from msglog.account.role import Capability
    from msglog.wire.request_line import (
        EarlyRequest,
    )
    from plumbing.administration import Administration
    from plumbing.context import Context
    from plumbing.permissions import Permissions
    from plumbing.policy import Rules

AGENT = f"msglog/{__version__}"
IDLE_SECONDS = 300.0
"""How long a client may be silent, or trickle, before the server gives up on it."""

_SESSION_BYTES = 8


class NotACommandError(UsageError):
    """The account was asked for something else than msglog."""


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `receive-pack`."""
    parser.add_argument("user", metavar="USER", nargs="?", help="whom the key belongs to")
    parser.add_argument("requests", metavar="REQUEST", nargs="*", help="with --direct only")
    parser.add_argument("--key", metavar="FINGERPRINT", help="the key that the client came with")
    parser.add_argument("--account", metavar="DIR", help="the server account's folder")
    parser.add_argument(
        "--direct", metavar="PATH", help="serve this repository to whoever may start this command"
    )


def run(arguments: Namespace, context: Context) -> int:
    """Serve one client: of a server account, or with `--direct` of one's own repository."""
    if arguments.direct is not None:
        return _serve_direct(arguments, context)
    if arguments.user is None or arguments.requests:
        raise UsageError("receive-pack takes one USER, or --direct PATH")
    return _serve_account(arguments, context)


def _serve_direct(arguments: Namespace, context: Context) -> int:
    """Serve a repository by its path; as a forced command, with what the client asked for."""
    words = [arguments.user, *arguments.requests] if arguments.user else []
    try:
        early = parse_requests(words)
        if not words and context.ssh_original_command:
            early = parse_direct_line(context.ssh_original_command)
    except ProtocolError as error:
        raise NotACommandError("this runs msglog and nothing else", why=error.why) from error
    repository = open_path(os.path.join(context.directory, arguments.direct))
    return _serve(repository, DirectPermissions(context.login), early, context)


def open_path(path: str) -> Repository:
    """Open the repository in a folder, or in the `.msglog` of a folder."""
    return Repository.open(repository_folder(path))


def repository_folder(path: str) -> str:
    """Return where the repository is that a path means: in the `.msglog` there, or right there."""
    inside = os.path.join(path, ".msglog")
    return inside if os.path.isdir(inside) else path


@dataclass(slots=True)
class AccountPermissions:
    """What the users and grants of an account allow, asked anew at each request and batch."""

    account: Account
    access: Access
    role: str = field(init=False)
    user: str = field(init=False)

    def __post_init__(self) -> None:
        """Take what the greeting says."""
        self.role = self.access.role.value
        self.user = self.access.user

    def may(self, capability: Capability, log: str) -> bool:
        """Tell whether the user has a capability for a log."""
        return self.access.may(capability, log)

    def check(self) -> None:
        """Raise NotAuthorisedError if the user, the key or a role was changed meanwhile."""
        if not self.account.still_valid(self.access):
            raise NotAuthorisedError("not authorised any more")


def _serve_account(arguments: Namespace, context: Context) -> int:
    folder = arguments.account or os.path.join(context.home, DEFAULT_FOLDER)
    line = context.ssh_original_command
    try:
        account = Account.open(folder, alone=True)
    except LocalError as error:
        answer = PeerError("storage", "the server account cannot be opened")
        _say(context, peer_error(error) if error.temporary else answer)
        raise
    try:
        if not line:
            return _greet_person(account, arguments, context)
        try:
            path, early = parse_request_line(line)
        except ProtocolError as error:
            trail = _trail(account, arguments, context, "")
            trail.record(Act("command", result=REFUSED, detail=line))
            raise NotACommandError(
                "this account runs msglog and nothing else", why=error.why
            ) from error
        name = path or DEFAULT_REPOSITORY
        trail = _trail(account, arguments, context, name)
        try:
            access = account.access(arguments.user, arguments.key, name)
            repository = account.open_repository(name)
        except NotAuthorisedError as error:
            return _refuse(context, trail, PeerError("not-authorised", error.what), error)
        except (UnknownRepositoryError, InvalidRepositoryError) as error:
            answer = PeerError("no-such-repository", f"there is no repository {name!r}")
            return _refuse(context, trail, answer, error)
        except MsglogError as error:
            return _refuse(context, trail, peer_error(error), error)
        permissions = AccountPermissions(account, access)

        def rules(log: str) -> Rules:
            from plumbing.policy import AccountRules  # noqa: PLC0415 - where something is pushed

            return AccountRules(account.database, name, access.user, context.now)(log)

        def administration() -> Administration:
            from plumbing.administration import administration_of  # noqa: PLC0415 - seldom asked

            return administration_of(account, trail.visit, access, context)

        trail.let_in()
        try:
            return _serve(
                repository,
                permissions,
                early,
                context,
                key=arguments.key,
                audit=trail,
                rules=rules,
                administration=administration,
            )
        finally:
            trail.close()
    finally:
        account.close()


def _trail(account: Account, arguments: Namespace, context: Context, repository: str) -> Trail:
    address = context.ssh_connection.partition(" ")[0]
    session = context.random(_SESSION_BYTES).hex()
    visit = Visit(arguments.user, arguments.key or "", address, repository, session)
    return Trail(account.database, visit, context.now)


def _refuse(context: Context, trail: Trail, answer: PeerError, error: MsglogError) -> int:
    """Record that a session was refused, say why, and return the exit status."""
    try:
        trail.record(Act(GREETING, result=answer.code))
    finally:
        _say(context, answer)
    return error.exit_status


def _greet_person(account: Account, arguments: Namespace, context: Context) -> int:
    """Tell somebody who came without a command who they are here, and that there is no shell."""
    try:
        access = account.access(arguments.user, arguments.key, DEFAULT_REPOSITORY)
        role = access.role.value
    except NotAuthorisedError:
        role = Role.NONE.value
    trail = _trail(account, arguments, context, DEFAULT_REPOSITORY)
    trail.record(Act("person", detail=f"role {role}"))
    context.stderr.write(
        f"Hello {arguments.user}: your key works, and your role here is {role}. "
        "This account has no shell; use it as a remote of msglog.\n".encode()
    )
    return 0


def _say(context: Context, error: PeerError) -> None:
    context.stdout.write(encode_event(error))
    context.stdout.flush()


def _serve(
    repository: Repository,
    permissions: Permissions,
    early: list[EarlyRequest],
    context: Context,
    *,
    key: str | None = None,
    audit: Audit | None = None,
    rules: Callable[[str], Rules] | None = None,
    administration: Callable[[], Administration] | None = None,
) -> int:
    """Run a session over the process's standard streams until the client has gone."""
    service = Service(
        repository,
        permissions,
        agent=AGENT,
        clock=context.now,
        key=key or "",
        rules=rules,
        audit=audit,
        administration=administration,
    )
    service.open(early)
    output = context.stdout.fileno()
    patience = Patience(IDLE_SECONDS)
    channel = PipeChannel(
        context.stdin.fileno(), output, idle_seconds=IDLE_SECONDS, patience=patience
    )
    heartbeat = Heartbeat(output, encode_event(KeepAlive()))
    try:
        with heartbeat.running():
            converse(service, channel, patience, heartbeat)
    except ChannelError:
        # The client has gone; what it still said, such as what it holds, is worth remembering.
        while arrived := _rest(channel):
            service.receive(arrived)
    finally:
        channel.close()
        repository.close()
        service.close()
    return 0


def _rest(channel: PipeChannel) -> bytes:
    try:
        return channel.take()
    except ChannelError:
        return b""
