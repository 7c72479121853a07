"""The origin port: which endpoint gets which piece next, and the connections that carry it."""
