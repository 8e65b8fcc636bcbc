"""Pictures of msglog on a terminal, made by running it on one: `make screenshots`.

Each build of the site takes them anew.
python docs/site/screenshots.py FOLDER
"""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme
from rich.text import Text

COLUMNS, LINES = 80, 40
PROGRAM = "import sys; from porcelain.cli import run; sys.exit(run())"
DAY = "2026-01-31T"
SCENE = [
    ["init", "-q"],
    ["init", "-q", "../shared"],
    ["remote", "add", "origin", "../shared"],
    ["add", "Beam is back, 6 keV", "--tag", "beamline", "--time", f"{DAY}09:12+01:00"],
    ["add", "Shutter 3 sticks, retrying", "--tag", "fault", "--time", f"{DAY}09:40+01:00"],
    ["push", "-q"],
    [
        *("add", "It was the air supply:\npressure 4.1 bar, now 6.0", "--author", "bob"),
        *("--meta", "bar=6.0", "--time", f"{DAY}09:55+01:00"),
    ],
]
"""What is done before the pictures are taken, as ann."""

SHOTS = {
    "list": [["list"]],
    "oneline": [["list", "--oneline"], ["list", "--oneline", "--tag", "fault"]],
    "search": [["search", "pressure"], ["stats"]],
    "share": [["status"], ["push"], ["status"]],
    "help": [["help", "push"]],
}
"""What each picture shows: some commands, and what they print."""

THEMES = {
    "light": TerminalTheme(
        (255, 255, 255),
        (46, 52, 54),
        [
            *((46, 52, 54), (204, 0, 0), (78, 154, 6), (196, 160, 0)),
            *((52, 101, 164), (117, 80, 123), (6, 152, 154), (211, 215, 207)),
        ],
        [
            *((85, 87, 83), (239, 41, 41), (138, 226, 52), (252, 233, 79)),
            *((114, 159, 207), (173, 127, 168), (52, 226, 226), (238, 238, 236)),
        ],
    ),
    "dark": SVG_EXPORT_THEME,
}
"""The ground, the text, and eight and eight bright colours of a terminal; light is Tango's."""

_FONTS = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)
_WHITE_FRAME = 'stroke="rgba(255,255,255,0.35)"'
_GREY_FRAME = 'stroke="rgba(127,127,127,0.5)"'


def take(name: str) -> dict[str, str]:
    """Return one picture as SVG, for each theme."""
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home, "notes")
        folder.mkdir()
        for words in SCENE:
            run(words, folder)
        shown = Text()
        for words in SHOTS[name]:
            shown.append("$ ", "bold green")
            shown.append(f"msglog {' '.join(words)}\n")
            shown.append_text(Text.from_ansi(run(words, folder)))
            shown.append("\n")
    shown.rstrip()
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), color_system="truecolor")
    console.print(shown)
    return {theme: _picture(console, f"msglog-{name}-{theme}", THEMES[theme]) for theme in THEMES}


def _picture(console: Console, identity: str, theme: TerminalTheme) -> str:
    svg = console.export_svg(title="msglog", theme=theme, clear=False, unique_id=identity)
    svg = _FONTS.sub("", svg)  # which would be loaded from elsewhere
    return svg.replace(_WHITE_FRAME, _GREY_FRAME)  # a white one around white is none


def run(words: list[str], folder: Path) -> str:
    """Run msglog with a terminal for its output, and return all that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", LINES, COLUMNS, 0, 0))
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", PROGRAM, "--no-pager", *words],
        cwd=folder,
        env={
            "HOME": str(folder.parent),
            "MSGLOG_AUTHOR": "ann",
            "PATH": os.defpath,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "TERM": "xterm-256color",
            "TZ": "Europe/Zurich",
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    parts = []
    try:
        while part := os.read(ours, 65536):
            parts.append(part)
    except OSError:
        pass  # Linux says EIO when nobody has the other side any more
    os.close(ours)
    said = b"".join(parts).decode().replace("\r\n", "\n").replace(str(folder.parent), "~")
    if process.wait():
        raise SystemExit(f"msglog {' '.join(words)}: {said}")
    return said


def main(folder: str) -> None:
    """Write all pictures into a folder."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name in SHOTS:
        for theme, svg in take(name).items():
            Path(folder, f"{name}-{theme}.svg").write_text(svg)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main(sys.argv[1])
