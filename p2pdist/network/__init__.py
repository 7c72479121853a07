"""The network part: a process without rights that alone speaks with the network, and the daemon's side of it."""
