"""System calls that touch what outlives a process, or what others wait for: their numbers and names.

Only Linux on x86-64: others number them otherwise.
"""

from dataclasses import dataclass

NUMBERS = {
    0: "read",
    1: "write",
    2: "open",
    17: "pread64",
    18: "pwrite64",
    19: "readv",
    20: "writev",
    41: "socket",
    42: "connect",
    44: "sendto",
    45: "recvfrom",
    22: "pipe",
    293: "pipe2",
    72: "fcntl",
    73: "flock",
    74: "fsync",
    75: "fdatasync",
    76: "truncate",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    84: "rmdir",
    86: "link",
    87: "unlink",
    88: "symlink",
    90: "chmod",
    91: "fchmod",
    92: "chown",
    93: "fchown",
    257: "openat",
    258: "mkdirat",
    263: "unlinkat",
    264: "renameat",
    265: "linkat",
    268: "fchmodat",
    285: "fallocate",
    295: "preadv",
    296: "pwritev",
    316: "renameat2",
}
ARCHITECTURE = 0xC000003E
"""AUDIT_ARCH_X86_64."""

READS = frozenset({"read", "pread64", "readv", "preadv"})
WRITES = frozenset({"write", "pwrite64", "writev", "pwritev"})
SYNCS = frozenset({"fsync", "fdatasync"})
SIZES = frozenset({"ftruncate", "truncate", "fallocate"})
OPENS = frozenset({"open", "openat"})
NAMES = frozenset(
    {"rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat", "mkdir", "mkdirat"}
    | {"rmdir", "symlink"}
)
MODES = frozenset({"chmod", "fchmod", "fchmodat", "chown", "fchown"})
LOCKS = frozenset({"fcntl", "flock"})
SENDS = frozenset({"sendto"})
RECEIVES = frozenset({"recvfrom"})
DESCRIPTORS = frozenset({"socket", "pipe", "pipe2"})

_LOCKING = {5, 6, 7, 36, 37, 38}
"""F_GETLK, F_SETLK, F_SETLKW, and the same of open files."""

_OF_DESCRIPTOR = (
    READS
    | WRITES
    | SYNCS
    | SENDS
    | RECEIVES
    | {"ftruncate", "fallocate", "fchmod", "fchown", "flock", "connect"}
)
O_ACCESS = 3
O_CREAT = 0o100
O_TRUNC = 0o1000
O_APPEND = 0o2000
AT_REMOVEDIR = 0x200
AT_FDCWD = -100


@dataclass(frozen=True, slots=True)
class Call:
    """A system call at its beginning.

    role: whose it is, `client` or `server`. path: the file that it is about, as the kernel names
    it, or such as `pipe:[12]`. second: the other name of a rename or link, or where a socket on this
    machine connects to.
    """

    process: int
    role: str
    name: str
    arguments: tuple[int, ...]
    path: str
    second: str = ""

    @property
    def changes(self) -> bool:
        """Tell whether it can change what is on a disk, or takes or frees a lock."""
        if self.name in OPENS:
            return bool(self.flags & (O_CREAT | O_TRUNC)) and self.path.startswith("/")
        if self.name == "fcntl":
            return self.arguments[1] in _LOCKING
        return self.name in WRITES | SYNCS | SIZES | NAMES | MODES | {"flock"}

    @property
    def flags(self) -> int:
        """The flags of an opening."""
        return self.arguments[2] if self.name == "openat" else self.arguments[1]

    @property
    def on_descriptor(self) -> bool:
        """Tell whether its first argument is the descriptor of the file."""
        return self.name in _OF_DESCRIPTOR or self.name == "fcntl"
