"""Runs a Python script under cProfile, every thread of it: `profiled.py FILE SCRIPT [WORDS]...`.

Leaves the statistics in FILE, also when the script ends by os._exit. Imports nothing of msglog.
"""

import cProfile
import os
import pstats
import runpy
import sys
import threading
from typing import Any, NoReturn


def main(words: list[str]) -> None:
    file, script, *rest = words
    profiles = [cProfile.Profile()]
    leave = os._exit

    def begin(*_: Any) -> None:
        """Profile a thread from its first call on; 3.12 knows one profile for all threads at once."""
        profile = cProfile.Profile()
        try:
            profile.enable()
        except ValueError:
            return
        profiles.append(profile)

    def write() -> None:
        for profile in profiles:
            profile.create_stats()
        stats = pstats.Stats(profiles[0])
        for profile in profiles[1:]:
            if profile.stats:
                stats.add(profile)
        stats.dump_stats(file)

    def leave_written(status: int) -> NoReturn:
        write()
        leave(status)

    os._exit = leave_written
    threading.setprofile(begin)
    sys.argv = [script, *rest]
    profiles[0].enable()
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        profiles[0].disable()
        threading.setprofile(None)
        write()


if __name__ == "__main__":
    main(sys.argv[1:])
