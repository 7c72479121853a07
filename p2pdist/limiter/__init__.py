"""Limits this PC's traffic with its neighbours, and measures what else its network carries."""
