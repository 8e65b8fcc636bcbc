"""Times as people write them: those of `msglog.when`."""

from __future__ import annotations

from msglog.when import LocalOffset, Moment, SpanError, WhenError, parse, parse_span

__all__ = ["LocalOffset", "Moment", "SpanError", "WhenError", "parse", "parse_span"]
