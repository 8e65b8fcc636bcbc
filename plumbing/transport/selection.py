"""Which of the two SSH transports a remote gets."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from msglog.annotation import TYPE_CHECKING
from msglog.dataclass import replace
from msglog.errors import RemoteError

if TYPE_CHECKING:
    from collections.abc import Callable

    from plumbing.transport.channel import Channel
    from plumbing.transport.settings import Settings
    from plumbing.transport.ssh_config import HostConfig
    from plumbing.transport.url import RemoteUrl


class ParamikoLacksError(RemoteError):
    """A host needs what only OpenSSH's client can do, and the settings forbid that."""


def _prepare_nothing() -> None:
    """Make nothing ready."""


def connect(
    url: RemoteUrl,
    *,
    command: Callable[[], str],
    settings: Settings,
    prepare: Callable[[], None] = _prepare_nothing,
) -> Channel:
    """Start a command on an ssh remote and return the channel to it.

    command: is called for it when the server is being waited for anyway; prepare: before that,
    where there is something to wait for.

    OpenSSH's client is used where settings.ssh_command names it, where the host's ssh_config asks
    for what paramiko lacks, and where keys fail but both systems know GSSAPI; else paramiko, which
    is imported only here. Raises RemoteError.
    """
    assert url.kind == "ssh", "local remotes never come here"
    if settings.ssh_command:
        return _by_openssh(url, command(), settings)
    from plumbing.transport.dialling import dial  # noqa: PLC0415 - not where ssh was asked for
    from plumbing.transport.ssh_config import (  # noqa: PLC0415 - as above
        read_host_config,
    )

    config = read_host_config(
        url.host,
        user=url.user,
        port=url.port,
        home=settings.home,
        login=settings.login,
        system_config=settings.system_config,
    )
    reason = openssh_reason(config)
    if reason and settings.paramiko_only:
        raise ParamikoLacksError(
            f"cannot connect to {url.host} by paramiko",
            why=f"its ssh_config asks for {reason}",
            hint="`msglog config unset ssh.transport` lets msglog use ssh for it.",
        )
    if reason:
        if config.connect_timeout is not None:
            settings = replace(settings, connect_seconds=config.connect_timeout)
        return _by_openssh(url, command(), settings)
    guarded = dial(config, settings)
    try:
        # While this takes its 30 ms and more, the server gets ready.
        from plumbing.transport.authentication import AuthenticationError  # noqa: PLC0415
        from plumbing.transport.ssh import connect_ssh  # noqa: PLC0415
    except BaseException:
        guarded.close()
        raise
    try:
        return connect_ssh(guarded, config, command, settings, prepare)
    except AuthenticationError as error:
        if settings.paramiko_only:
            raise
        if config.gssapi and "gssapi-with-mic" in error.methods and _has_ssh(settings):
            return _by_openssh(url, command(), settings)
        raise


def openssh_reason(config: HostConfig) -> str:
    """Return what a host wants that paramiko lacks, or ""."""
    if config.openssh_reason:
        return config.openssh_reason
    from plumbing.transport.known_hosts import (  # noqa: PLC0415 - as above
        host_name,
        read_host_keys,
    )

    known = read_host_keys(config.known_hosts, host_name(config.host, config.port))
    if any(key.marker == "@cert-authority" for key in known):
        return "a host certificate"
    return ""


def _by_openssh(url: RemoteUrl, command: str, settings: Settings) -> Channel:
    from plumbing.transport.openssh import connect_openssh  # noqa: PLC0415 - subprocess: 10 ms

    return connect_openssh(url, command, settings, config_file=_config_file(settings))


def _has_ssh(settings: Settings) -> bool:
    import shutil  # noqa: PLC0415 - its import takes longer than it

    path = None if settings.environment is None else settings.environment.get("PATH")
    return shutil.which("ssh", path=path) is not None


def _config_file(settings: Settings) -> Path | None:
    """Return the ssh_config to name to ssh, which looks in the passwd home and knows no $HOME."""
    config = settings.home / ".ssh" / "config"
    try:
        usual = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:
        return None
    return config if settings.home != usual and config.exists() else None
