"""`authorized-principals`: tells sshd whom a certificate is for (AuthorizedPrincipalsCommand)."""

from __future__ import annotations

from pathlib import Path

from msglog.account.certificate import parse_certificate
from msglog.account.forced_command import ForcedCommand
from msglog.account.managed_block import principal_line
from msglog.annotation import TYPE_CHECKING
from plumbing.login_account import ask, find_login_account
from plumbing.program import running_program

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator

    from msglog.account.account import Account
    from msglog.account.certificate import Certificate
    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the arguments of `authorized-principals`."""
    parser.add_argument("login", metavar="ACCOUNT", help="the UNIX account: %%u of sshd_config")
    parser.add_argument("certificate", metavar="CERTIFICATE", help="in base64: %%k of sshd_config")
    parser.add_argument("--account", metavar="DIR", type=Path, help="the server account's folder")
    parser.add_argument(
        "--prefix",
        metavar="TEXT",
        default="",
        help="what stands before the name of a user in a principal (nothing)",
    )


def run(arguments: Namespace, context: Context) -> int:
    """Print the one line of the user whom a certificate names, or nothing.

    A certificate that names two users lets neither in: which of them it is would depend on an
    order that nobody has thought about. As with keys, all failures are exit statuses.
    """
    certificate = parse_certificate(arguments.certificate)
    named = None if arguments.account is None else Path(context.directory, arguments.account)
    found = find_login_account(arguments.login, named)
    if found is None:
        return 0
    users = ask(
        found.path,
        context,
        lambda account: sorted(set(_users(account, certificate, arguments.prefix))),
    )
    if len(users) == 1:
        command = ForcedCommand(running_program(), users[0], None, found.named)
        context.write(f"{principal_line(command, arguments.prefix + users[0])}\n")
    return 0


def _users(account: Account, certificate: Certificate, prefix: str) -> Iterator[str]:
    for principal in certificate.principals:
        name = principal.removeprefix(prefix)
        if principal.startswith(prefix) and account.find_user(name) is not None:
            yield name
