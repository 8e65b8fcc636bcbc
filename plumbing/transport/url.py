"""The address of a remote, taken as git takes it and never further than its pattern allows."""

from __future__ import annotations

import re
import shlex

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import dataclass
from msglog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

URL_LIMIT = 4096
"""The longest URL in characters; a path of Linux is at most that long."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+@-]{0,127}")
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}")
_ADDRESS = re.compile(r"[0-9A-Fa-f:.]{2,45}")
_PORT = re.compile(r"[0-9]{1,5}")
_REPOSITORY = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(?:/[a-z0-9][a-z0-9._-]{0,63}){0,3}")
_DIRECT = re.compile(r"(?:~|/)[A-Za-z0-9._/+@=,-]{0,1023}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


class UrlError(UsageError):
    """A remote's URL that cannot be taken."""


@dataclass(frozen=True, slots=True)
class RemoteUrl:
    """Where a remote is.

    kind: "ssh" or "local".
    user: the account to log in to, or "" for the one that ssh_config or the login name gives.
    host: a host name, an IP address without brackets or an alias of ssh_config; "" when local.
    port: 1 to 65535, or None for the one that ssh_config gives, else 22.
    path: over ssh the repository below the account's folder ("" is its main one), or, where it
        starts with "/" or "~/", a repository in one's own account; when local, a path as typed.
    """

    kind: Literal["ssh", "local"]
    user: str = ""
    host: str = ""
    port: int | None = None
    path: str = ""

    @property
    def direct(self) -> bool:
        """Whether an ssh path names a repository by its place, with no server account."""
        return self.kind == "ssh" and self.path.startswith(("/", "~"))

    @property
    def destination(self) -> str:
        """The host for messages to people: `user@host` or `user@host:port`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        account = f"{self.user}@{host}" if self.user else host
        return f"{account}:{self.port}" if self.port is not None else account

    def __str__(self) -> str:
        """Return a text that parses to the same."""
        if self.kind == "local":
            return self.path
        if self.port is not None:
            return (
                f"ssh://{self.destination}/{self.path}"
                if self.path
                else f"ssh://{self.destination}"
            )
        return f"{self.destination}:{self.path}" if self.path else self.destination


def parse_url(text: str) -> RemoteUrl:
    """Return the remote that a text names; raises UrlError.

    Taken: `user@host`, `user@host:path`, an ssh_config alias, `ssh://user@host:port/path`,
    `file://`, and local paths, which start with "." or have a "/" before any colon.
    """
    if not text:
        raise UrlError("the remote's URL is empty")
    if len(text) > URL_LIMIT:
        raise UrlError(f"the remote's URL is longer than {URL_LIMIT} characters")
    if _CONTROL.search(text):
        raise UrlError(f"{text[:200]!r} cannot be a remote", why="it has a control character")
    if text.startswith("-"):
        raise UrlError(f"{text!r} cannot be a remote", why="it starts with a dash")
    if scheme := _SCHEME.fullmatch(text):
        return _parse_scheme(text, scheme[1].lower(), scheme[2])
    if text.startswith((".", "/", "~")) or "/" in text.partition(":")[0]:
        return RemoteUrl("local", path=text)
    return _parse_scp(text)


def receive_pack_command(url: RemoteUrl, tokens: Iterable[str] = ()) -> str:
    """Return the command line that asks the remote's shell or forced command for the server.

    tokens: the first requests that ride along, such as `main=HEX`; plain ASCII words.
    A `~/` path goes relative to the home folder, where sshd starts commands: nothing expands it.
    """
    words = ["msglog", "receive-pack"]
    if url.direct:
        path = f".{url.path[1:]}" if url.path.startswith("~") else url.path
        words += ["--direct", path]
    elif url.path:
        words.append(url.path)
    return shlex.join([*words, *tokens])


def _parse_scheme(text: str, scheme: str, rest: str) -> RemoteUrl:
    if scheme == "file":
        path = rest.removeprefix("localhost") if rest.startswith("localhost/") else rest
        if not path.startswith("/"):
            raise UrlError(f"{text!r} cannot be a remote", why="file:// wants an absolute path")
        return RemoteUrl("local", path=path)
    if scheme != "ssh":
        raise UrlError(
            f"{text!r} cannot be a remote",
            why=f"{scheme}:// is not supported",
            hint="A remote is user@host, user@host:path, ssh://user@host:port/path or a path.",
        )
    authority, _, path = rest.partition("/")
    user, host = _split_user(text, authority)
    port: int | None = None
    if host.startswith("["):
        host, _, port_text = host[1:].partition("]")
        if port_text and not port_text.startswith(":"):
            raise UrlError(f"{text!r} cannot be a remote", why="its host is malformed")
        port = _check_port(text, port_text[1:]) if port_text else None
        host = _check_host(text, host, address=True)
    else:
        host, colon, port_text = host.partition(":")
        port = _check_port(text, port_text) if colon else None
        host = _check_host(text, host, address=False)
    return RemoteUrl("ssh", user=user, host=host, port=port, path=_check_path(text, path))


def _parse_scp(text: str) -> RemoteUrl:
    account, colon, bracketed = text.partition("[")
    if colon and (not account or account.endswith("@")):
        address, bracket, rest = bracketed.partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise UrlError(f"{text!r} cannot be a remote", why="its host is malformed")
        user = _check_user(text, account[:-1]) if account else ""
        host = _check_host(text, address, address=True)
        return RemoteUrl("ssh", user=user, host=host, path=_check_path(text, rest[1:]))
    authority, _, path = text.partition(":")
    user, host = _split_user(text, authority)
    host = _check_host(text, host, address=False)
    return RemoteUrl("ssh", user=user, host=host, path=_check_path(text, path))


def _split_user(text: str, authority: str) -> tuple[str, str]:
    user, at, host = authority.rpartition("@")
    if not at:
        return "", host
    if ":" in user:
        raise UrlError(
            "the remote's URL has a password in it",
            hint="msglog logs in by SSH keys: leave the password out.",
        )
    return _check_user(text, user), host


def _check_user(text: str, user: str) -> str:
    if not _USER.fullmatch(user):
        raise UrlError(f"{text!r} cannot be a remote", why=f"{user!r} is no user name")
    return user


def _check_host(text: str, host: str, *, address: bool) -> str:
    if not (_ADDRESS if address else _HOST).fullmatch(host):
        raise UrlError(f"{text!r} cannot be a remote", why=f"{host!r} is no host name")
    return host


def _check_port(text: str, port: str) -> int:
    if not _PORT.fullmatch(port) or not 1 <= int(port) <= 65535:
        raise UrlError(f"{text!r} cannot be a remote", why=f"{port!r} is no port")
    return int(port)


def _check_path(text: str, path: str) -> str:
    if path.startswith(("/", "~")):
        home = path.startswith("~") and path != "~" and not path.startswith("~/")
        if home or not _DIRECT.fullmatch(path) or ".." in path.split("/"):
            raise UrlError(
                f"{text!r} cannot be a remote",
                why="a path on the remote has letters, digits and ._/+@=,- and no '..'",
            )
        return path
    name = path.rstrip("/")
    if name and not _REPOSITORY.fullmatch(name):
        raise UrlError(
            f"{text!r} cannot be a remote",
            why=f"{path!r} is no repository name",
            hint="A name has up to four parts of a-z, 0-9, '.', '_' and '-', joined by '/'.",
        )
    return name
