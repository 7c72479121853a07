"""The vocabulary: all that the seed server takes from this package."""
