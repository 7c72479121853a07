"""The TUF repository: keys, roles, lifetimes, and the documents that are signed."""
