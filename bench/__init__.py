"""What runs the whole system from outside: the demo, and later the benchmarks."""
