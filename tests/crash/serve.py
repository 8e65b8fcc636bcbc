"""The forced command of the tests: some lines of Python first, then msglog with the words after them.

Stands alone: it is run in isolated mode.
"""

import sys

if __name__ == "__main__":
    exec(sys.argv[1])
    from porcelain.cli import run

    sys.argv = ["msglog", *sys.argv[2:]]
    sys.exit(run())
