"""The version of msglog, in the one place that the packaging reads too."""

from __future__ import annotations

__version__ = "0.1.0"

RELEASED = "2026-11-28"
"""When this version was begun, for manual pages."""
