"""How ports are opened: addresses, TLS, and how many connections they hold."""
