"""Others' scavengers, each by its own specification."""
