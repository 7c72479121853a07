"""The benchmark of the limiter: business beside us and beside the rivals, over a matrix of simulated lines."""
