"""Pages for people: what the command line shows and does, in a browser."""
