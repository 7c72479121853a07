"""The PC's side of the origin port: control and data connections to the seed server."""
