"""The origin port: the connections that carry messages and pieces."""
