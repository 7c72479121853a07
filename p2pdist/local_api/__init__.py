"""The daemon's socket on this PC: what the command line asks, and what it is answered."""
