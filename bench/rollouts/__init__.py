"""Simulated rollouts in virtual time: whether each ends, and breaks no rule. See `__main__`."""
