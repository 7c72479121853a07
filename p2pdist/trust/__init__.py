"""What is believed: TUF's metadata, the floor below which nothing is accepted, the catalogue."""
