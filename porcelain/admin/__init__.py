"""Commands for the server account."""
