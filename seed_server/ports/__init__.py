"""How ports are opened: addresses, TLS, how many may come in."""
