"""What is known of this PC: its hardware, software, network and site."""
