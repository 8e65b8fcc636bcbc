"""`admin`: looks after a server account: its users, their keys and what they may do."""

from argparse import ArgumentParser, Namespace

from plumbing.context import Context
from porcelain.admin import audit, create, doctor, grant, key, policy, repository, setting, user
from porcelain.admin.place import add_place_options
from porcelain.admin.recording import run_recorded


def configure(parser: ArgumentParser) -> None:
    """Add the subcommands of `admin`; each leaf names the function that runs it as `run`."""
    add_place_options(parser)
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    first = actions.add_parser("init", help="make a server account")
    create.configure(first)
    add_place_options(first)
    user.configure(actions.add_parser("user", help="add, remove, rename and show users"))
    key.configure(actions.add_parser("key", help="add, remove, check and write keys"))
    repository.configure(actions.add_parser("repository", help="make and list repositories"))
    granting = actions.add_parser("grant", help="give a user a role for some logs")
    grant.configure_grant(granting)
    add_place_options(granting)
    revoking = actions.add_parser("revoke", help="take such a role back")
    grant.configure_revoke(revoking)
    add_place_options(revoking)
    asking = actions.add_parser("policy", help="say what logs ask of messages")
    policy.configure(asking)
    auditing = actions.add_parser("audit", help="show what was done and refused")
    audit.configure(auditing)
    add_place_options(auditing)
    changing = actions.add_parser("set", help="show and change settings of the account")
    setting.configure(changing)
    add_place_options(changing)
    checking = actions.add_parser("doctor", help="check the whole account, say what to do")
    doctor.configure(checking)
    add_place_options(checking)


def run(arguments: Namespace, context: Context) -> int:
    """Run the subcommand, here or with `--remote` on the server."""
    if getattr(arguments, "remote", None) is not None:
        from porcelain.admin.remote import run_on_remote  # noqa: PLC0415 - loads the transports

        return run_on_remote(arguments, context)
    return run_recorded(arguments.run, arguments, context)
