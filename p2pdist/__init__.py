"""The endpoint daemon, and the vocabulary that it shares with the seed server."""

__version__ = "0.3.0.dev0"
