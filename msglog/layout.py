"""What lies in the folder of a repository."""

from __future__ import annotations

STORE_NAME = "store.db"
"""The store: messages, index nodes, refs."""

CONFIG_NAME = "config.toml"
"""The configuration file."""

INCOMING_NAME = "incoming"
"""The folder of messages that wait for a store that can be written."""

VIEWS_NAME = "views.json"
"""What was seen to lie before the views of remotes; there only where a remote has one."""

SEARCH_NAME = "search.db"
"""The index of `msglog search`, made from the store and never needed."""

FOLDER = ".msglog"
"""The folder of a repository within the folder that people work in."""
