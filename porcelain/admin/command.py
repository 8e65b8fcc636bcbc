"""`admin`: looks after a server account: its users, their keys and what they may do."""

from __future__ import annotations

from msglog.annotation import TYPE_CHECKING
from porcelain.admin import (
    audit,
    backup,
    create,
    doctor,
    gc,
    grant,
    key,
    metrics,
    migrate,
    policy,
    repository,
    restore,
    setting,
    user,
)
from porcelain.admin.place import add_place_options
from porcelain.admin.recording import run_recorded

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from plumbing.context import Context


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin`; each leaf names the function that runs it as `run`."""
    add_place_options(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def add(name: str, meaning: str) -> ArgumentParser:
        action: ArgumentParser = actions.add_parser(name, help=meaning)
        add_place_options(action)
        return action

    create.configure(add("init", "make a server account"))
    user.configure(add("user", "add, remove, rename and show users"))
    key.configure(add("key", "add, remove, check and write keys"))
    repository.configure(add("repository", "make and list repositories"))
    grant.configure_grant(add("grant", "give a user a role for some logs"))
    grant.configure_revoke(add("revoke", "take such a role back"))
    policy.configure(add("policy", "say what logs ask of messages"))
    gc.configure(add("gc", "remove what no log needs any more, and save space"))
    backup.configure(add("backup", "write the whole account to a file"))
    restore.configure(add("restore", "put an account back from a backup"))
    migrate.configure(add("migrate", "copy the account to PostgreSQL, or from there"))
    audit.configure(add("audit", "show what was done and refused"))
    metrics.configure(add("metrics", "say in numbers what it does and holds, for Prometheus"))
    setting.configure(add("set", "show and change settings of the account"))
    doctor.configure(add("doctor", "check the whole account, say what to do"))


def run(arguments: Namespace, context: Context) -> int:
    """Run the subcommand, here or with `--remote` on the server."""
    if getattr(arguments, "remote", None) is not None:
        from porcelain.admin.remote import run_on_remote  # noqa: PLC0415 - loads the transports

        return run_on_remote(arguments, context)
    return run_recorded(arguments.run, arguments, context)
