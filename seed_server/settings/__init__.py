"""The seed server's home directory and its ``server.toml``."""
