"""Makes the repositories and the account of each format, with the code that wrote that format.

    python -m tests.formats.make

It takes the code of COMMITS from this repository's own history, has it write PROGRAM's repository
into a temporary folder, and keeps that as statements of SQL in this folder. What it writes does not
depend on when or where: running it again changes nothing. A new format adds a commit here.
"""

import io
import os
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

HERE = Path(__file__).parent
COMMITS = {
    "store-1.sql": "e9a5f7e",  # format 1
    "store-2-nodes-by-id.sql": "2319fcc",  # format 2, before its nodes had row numbers
    "store-2.sql": "4c2a771",  # format 2
    "store-3.sql": "f8bbb32",  # format 3
    "account-1.sql": "4c2a771",
    "account-2.sql": "77d511f",
    "account-3.sql": "f8bbb32",
}
STORE = """
import sys
from pathlib import Path
from msglog.key import FIRST_KEY
from msglog.message import Message, object_key
from msglog.encoding import encode
from msglog.repository import Insertion, Repository
from msglog.store.store import Agreement, HeldBack, Receipt, Refusal

START = 1_600_000_000_000_000
PEER = "repository:" + "ab" * 16
repository = Repository.create(Path(sys.argv[1]), identity=bytes(range(16)), time=START)

def message(number, **fields):
    return Message(uuid=number.to_bytes(16, "big"), time=START + number, offset=60, author="ann",
                   body=f"{number} \\u00e5ngstr\\u00f6m", **fields).encode()

first = [message(n) for n in range(70)]
first = {object_key(data): data for data in first}
repository.add("main", first, time=START)
tagged = message(100, tags=("beam", "lab"), meta={"ok": True, "t": 1.5},
                 reply_to=object_key(message(0))[8:])
later = encode({"type": "seal", "uuid": bytes(16), "time": START + 101, "of": [1, 2.5, "x"]})
must = encode({"type": "message", "uuid": bytes(16), "time": START + 102, "must": ["hologram"]})
more = {object_key(data): data for data in (tagged, later, must)}
refused = tuple([Refusal(max(more), "policy", "no holograms")])
root = repository.log("main").root
repository.commit(
    [Insertion("refs/logs/main", sorted(more)), Insertion("refs/remotes/origin/main", sorted(first))],
    messages=more, time=START + 10, reason="pull from origin",
    receipt=Receipt("ben", START + 10, "main", "SHA256:key"),
    agreed=[Agreement(PEER, "main", FIRST_KEY, root)],
    held_back=[HeldBack(PEER, "main", refused)],
)
repository.create_log("team/ops", time=START + 20)
repository.find(max(first)[8:].hex()[:8])
repository.close()
"""
ACCOUNT = """
import sys
from pathlib import Path
from msglog.account.account import Account
from msglog.account.audit import Act, Trail, Visit
from msglog.account.policy import set_policies
from msglog.account.publickey import parse_public_key
from msglog.account.record import UserGrant
from msglog.account.role import Role

START = 1_600_000_000_000_000
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILFI/idK+FvJgJ4tsxG2GltykFj6/LxPmQ9D5Wbwrrbd ann@lab"
account = Account.create(Path(sys.argv[1]), suffix="x")
account.add_user("ann", Role.ADMIN, time=START)
account.add_user("ben", Role.READ, time=START + 1)
account.add_keys("ann", [parse_public_key(KEY)], time=START + 2)
account.grant(UserGrant("ben", "main", "team/*", Role.WRITE))
set_policies(account.database, "main", "*", [("max-message-bytes", "1000")])
Trail(account.database, Visit("ann", "SHA256:key"), lambda: START + 3).record(Act("push"))
account.close()
"""
WRITERS = {"store": (STORE, "store.db"), "account": (ACCOUNT, "account.db")}


def dump(path: Path) -> Iterator[str]:
    """Yield the statements that make a database again."""
    with closing(sqlite3.connect(path)) as connection:
        for pragma in ("page_size", "auto_vacuum", "application_id", "user_version"):
            ((value,),) = connection.execute(f"PRAGMA {pragma}")
            yield f"PRAGMA {pragma} = {value};"
        yield from connection.iterdump()


def restore(name: str, path: Path) -> None:
    """Make the database that was kept under a name, in WAL mode as it was."""
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((HERE / name).read_text(encoding="utf-8"))
        connection.execute("PRAGMA journal_mode = WAL")
    path.chmod(0o600)


def write(name: str, commit: str) -> str:
    """Return the statements of what the code of a commit writes."""
    program, file = WRITERS[name.partition("-")[0]]
    git = ["git", "-C", str(HERE.parent.parent), "archive", commit]
    archive = subprocess.run(git, check=True, capture_output=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        code, made = Path(folder, "code"), Path(folder, "made")
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            tar.extractall(code, filter="data")
        environment = {"PYTHONPATH": str(code), "PATH": os.environ["PATH"]}
        words = [sys.executable, "-c", program, str(made)]
        subprocess.run(words, cwd=code, env=environment, check=True)
        return "\n".join(dump(made / file)) + "\n"


if __name__ == "__main__":
    for each, its_commit in COMMITS.items():
        (HERE / each).write_text(write(each, its_commit), encoding="utf-8")
