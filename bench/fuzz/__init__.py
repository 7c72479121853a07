"""Fuzzing: every reader of bytes from outside, the promise that it keeps, and the search for bytes that break it."""
