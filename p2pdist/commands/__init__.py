"""The `p2pdist` command line: parses, asks the daemon, prints."""
