"""The origin port: who gets which piece next, and the connections that carry it."""
