"""An SSH agent: keys that sign for us without our having them."""

from __future__ import annotations

import socket

from paramiko.agent import AgentSSH  # type: ignore[import-untyped]

AGENT_SECONDS = 60.0
"""How long an agent may take: some ask a person."""


class Agent(AgentSSH):  # type: ignore[misc]
    """An agent at a given socket; paramiko's own class takes it from the environment."""

    def __init__(self, path: str) -> None:
        super().__init__()
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(AGENT_SECONDS)
            connection.connect(path)
            self._connect(connection)
        except BaseException:
            connection.close()
            raise

    def close(self) -> None:
        """Close the connection to the agent."""
        self._close()
