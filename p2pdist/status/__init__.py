"""What this PC says of a patch, and why it is not here yet."""
