"""The protocol, without input or output: pkt-line framing and both state machines."""
