"""What this endpoint trusts: TUF's metadata, the floor below which none is accepted, and the catalogue."""
