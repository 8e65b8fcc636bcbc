"""What people type: one command a module, the command line and the terminal."""
