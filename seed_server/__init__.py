"""The seed server: signs, chunks, leases and paces patches, and keeps the fleet's state."""
