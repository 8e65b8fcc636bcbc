"""Byte channels to a remote msglog: SSH by paramiko, SSH by OpenSSH, and a local path."""
