"""A discrete-event simulator of one bottleneck line: deterministic by its seed, with a virtual clock."""
