"""The `seed-server` command line: parses and prints."""
