"""What a command gets from the outside: streams, folder and settings, all as arguments."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO


@dataclass(frozen=True, slots=True)
class Context:
    """The surroundings of one command, made by `porcelain.cli` from the process.

    Commands take everything from here; no module below porcelain looks at the environment, the
    current folder or the terminal by itself.

    directory: where the command runs (`-C`, else the current folder); absolute.
    home: the user's home folder.
    environment: the process's environment, read only in porcelain; plumbing takes named fields.
    stdin, stdout, stderr: binary streams.
    json: `--json` was given. quiet, verbose: `-q`, `-v`.
    """

    directory: Path
    home: Path
    stdin: BinaryIO
    stdout: BinaryIO
    stderr: BinaryIO
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    color: str = "auto"
    pager: bool = True
    progress: bool = False
    repository_directory: Path | None = None
    author: str | None = None
    ssh_command: str | None = None
    ssh_original_command: str = ""
    ssh_connection: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)

    def write(self, text: str) -> None:
        """Write text to standard output as UTF-8; lone surrogates of file names survive."""
        self.stdout.write(text.encode("utf-8", "surrogateescape"))
