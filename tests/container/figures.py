"""Measures the image beside a plain one: `python -m tests.container.figures [TURNS]`.

Plain is the same Debian with openssh-server and host keys made while it was built. Both take turns;
ready is when a client has read sshd's first bytes.
"""

import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.container.engine import BASE, IMAGE, Engine, find_engine, running, volumes

PLAIN = "localhost/msglog-plain-sshd"
DOCKERFILE = f"""\
FROM {BASE}
RUN export DEBIAN_FRONTEND=noninteractive && apt-get update \\
    && apt-get install --yes --no-install-recommends openssh-server \\
    && rm -rf /var/lib/apt/lists/* && mkdir -p /run/sshd && ssh-keygen -A
CMD ["sh", "-c", "exec /usr/sbin/sshd -D -e -p $MSGLOG_PORT"]
"""


def ready(engine: Engine, image: str, places: Sequence[str] = ()) -> tuple[float, float]:
    """Start a container; return the seconds until it is ready, and until it is stopped."""
    with running(engine, *places, image=image) as container:
        return container.wait_until_it_listens(), container.stop()


def main(words: Sequence[str]) -> int:
    turns = int(words[0]) if words else 5
    engine = find_engine()
    engine.build()
    folder = Path(tempfile.mkdtemp(prefix="msglog-figures-"))
    (folder / "Dockerfile").write_text(DOCKERFILE)
    engine.build(PLAIN, folder)
    shutil.rmtree(folder)
    rows: dict[str, list[float]] = {}
    for _ in range(turns):
        with volumes(engine, "data", "keys") as (data, keys):
            places = ("--volume", f"{data}:/data", "--volume", f"{keys}:/keys")
            for name, image, at in (
                ("plain", PLAIN, ()),
                ("msglog, first start", IMAGE, places),
                ("msglog, later start", IMAGE, places),
            ):
                start, stop = ready(engine, image, at)
                rows.setdefault(f"{name}: ready", []).append(start)
                rows.setdefault(f"{name}: stopped", []).append(stop)
    for image in (BASE, PLAIN, IMAGE):
        size = engine.call("image", "inspect", "--format", "{{.Size}}", image).output
        sys.stdout.write(f"{image}: {int(size) / 1e6:.0f} MB\n")
    for name, seconds in rows.items():
        middle = statistics.median(seconds)
        sys.stdout.write(f"{name}: {middle:.2f} s ({min(seconds):.2f} to {max(seconds):.2f})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
