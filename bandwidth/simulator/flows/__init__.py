"""Business traffic: what others send over the line."""
