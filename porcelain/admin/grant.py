"""`admin grant` and `admin revoke`: roles for single logs of a server account."""

from __future__ import annotations

from msglog.account.account import DEFAULT_REPOSITORY
from msglog.account.record import EVERYBODY, UserGrant
from msglog.account.role import Role, parse_role
from msglog.annotation import TYPE_CHECKING
from msglog.errors import UsageError
from msglog.message_json import to_json
from porcelain.admin.recording import change
from porcelain.printing import note

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from msglog.account.account import Account
    from plumbing.context import Context

_USER_HELP = f"a user, or {EVERYBODY} for every user"
_WHERE_HELP = (
    f"the name of a log, in which * stands for anything; before it, a repository other than"
    f" {DEFAULT_REPOSITORY}"
)


class TooManyArgumentsError(UsageError):
    """More was given than a repository and a pattern."""


def configure_grant(parser: ArgumentParser) -> None:
    """Add the arguments of `admin grant`."""
    parser.usage = "msglog admin grant USER ROLE [REPOSITORY] LOG-PATTERN"
    parser.add_argument("user", metavar="USER", help=_USER_HELP)
    parser.add_argument("role", metavar="ROLE", help=", ".join(role.value for role in Role))
    parser.add_argument("where", nargs="+", metavar="LOG-PATTERN", help=_WHERE_HELP)
    parser.set_defaults(run=_grant)


def configure_revoke(parser: ArgumentParser) -> None:
    """Add the arguments of `admin revoke`."""
    parser.usage = "msglog admin revoke USER [REPOSITORY] LOG-PATTERN"
    parser.add_argument("user", metavar="USER", help=_USER_HELP)
    parser.add_argument("where", nargs="+", metavar="LOG-PATTERN", help=_WHERE_HELP)
    parser.set_defaults(run=_revoke)


def _grant(arguments: Namespace, context: Context) -> int:
    repository, pattern = _where(arguments)
    grant = UserGrant(arguments.user, repository, pattern, parse_role(arguments.role))

    def work(account: Account) -> bool:
        account.grant(grant)
        return account.has_repository(repository)

    there = change(arguments, context, work)
    _report(context, "Granted", grant)
    if not there:
        add = f"`msglog admin repository add {repository}`"
        note(context, f"There is no repository {repository} yet; {add} makes it.")
    return 0


def _revoke(arguments: Namespace, context: Context) -> int:
    repository, pattern = _where(arguments)
    role = change(
        arguments, context, lambda account: account.revoke(arguments.user, repository, pattern)
    )
    _report(context, "Revoked", UserGrant(arguments.user, repository, pattern, role))
    return 0


def _where(arguments: Namespace) -> tuple[str, str]:
    *repository, pattern = arguments.where
    if len(repository) > 1:
        raise TooManyArgumentsError(
            f"unexpected argument {pattern[:80]!r}", hint="Give one repository and one pattern."
        )
    return (repository or [DEFAULT_REPOSITORY])[0], pattern


def _report(context: Context, said: str, grant: UserGrant) -> None:
    if context.json:
        fields = {"user": grant.user, "repository": grant.repository, "pattern": grant.pattern}
        context.write(to_json({**fields, "role": grant.role.value}))
    elif not context.quiet:
        where = f"{grant.repository} {grant.pattern}"
        context.write(f"{said} {grant.user} {grant.role.value}: {where}\n")
