"""Logs of short immutable messages: content-addressed objects under a Merkle index."""
