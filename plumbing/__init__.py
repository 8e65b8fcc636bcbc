"""Low-level commands, one a module, and the transports that they use."""
