"""The API for programs: one table of routes over the operations and queries of `seed_server.fleet`."""
