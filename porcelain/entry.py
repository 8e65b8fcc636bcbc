"""The console script: runs msglog so that Ctrl-C ends it in silence from the first moment on."""

from __future__ import annotations

INTERRUPTED = 130


def run() -> int:
    """Run the process's command line, and return its exit status."""
    try:
        from porcelain.cli import run as run_command  # noqa: PLC0415 - Ctrl-C meanwhile, too

        return run_command()
    except KeyboardInterrupt:
        return INTERRUPTED
