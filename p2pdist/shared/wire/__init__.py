"""The origin protocol, shared by both sides: frames, messages, bitfields. No I/O."""
