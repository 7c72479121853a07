"""What this PC is: its hardware, software, network and place."""
