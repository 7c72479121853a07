"""The `bandwidth` command line: parses and prints."""
