"""The origin protocol: frames, messages, bitfields. Shared by both sides, no I/O."""
