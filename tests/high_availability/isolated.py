"""A front end in a network of its own, with a client beside it: it shares nothing but the database's socket.

Run by `unshare --net`: python -m tests.high_availability.isolated FOLDER STORE HOME. The client is whoever has
the home, a user whom another front end has made. Prints what the client sees, as JSON.
"""

import json
import subprocess
import sys
from pathlib import Path

from tests.high_availability.front_end import front_end, make_pusher
from tests.ssh.sshd import User


def main(folder: str, store: str, home: str) -> None:
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    user = User(Path(home).name, Path(home))
    seen = {}
    with front_end(Path(folder), store) as front:
        place = Path(folder) / "client"
        place.mkdir()
        client = make_pusher(user, front.address(user), place)
        for name, words in (
            ("pull", ("pull", "-q", "origin")),
            ("add", ("add", "-q", "-m", "from a network of its own")),
            ("push", ("push", "-q", "origin")),
            ("root", ("rev-parse", "main")),
        ):
            command = client.command(*words)
            done = subprocess.run(
                command.words,
                cwd=command.folder,
                env=command.environment,
                capture_output=True,
                check=False,
            )
            seen[name] = [done.returncode, (done.stdout or done.stderr).decode().strip()]
    interfaces = Path("/proc/net/dev").read_text().splitlines()[2:]
    seen["interfaces"] = [line.partition(":")[0].strip() for line in interfaces]
    print(json.dumps(seen))


if __name__ == "__main__":
    main(*sys.argv[1:])
