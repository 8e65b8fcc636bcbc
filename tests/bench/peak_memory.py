"""Runs a command and writes its peak resident memory to a file: `peak_memory.py FILE COMMAND...`.

Linux lets a process inherit the high-water mark of whoever started it, so the starter must be small:
this one, isolated and without site, has about 9 MiB, which is the least that can be told. The figure
is that of the largest process among the command and those that it waited for. Imports nothing of msglog.
"""

import os
import resource
import sys


def main(words: list[str]) -> int:
    process = os.fork()
    if process == 0:
        try:
            os.execvp(words[1], words[1:])
        except OSError:
            os._exit(127)
    status = os.waitpid(process, 0)[1]
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    with open(words[0], "w") as file:
        file.write(f"{peak * 1024}\n")
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
