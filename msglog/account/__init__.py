"""The server account: users, their roles and keys, and the authorized_keys file."""
