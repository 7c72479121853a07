"""Scavengers of others, each by its own specification."""
