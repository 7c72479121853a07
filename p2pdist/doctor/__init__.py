"""What is wrong with this PC, its network and its way to the server, and who can mend it: looks, then judges."""
