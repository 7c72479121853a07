"""How fast this PC swaps with its neighbours, and what its network carries besides."""
