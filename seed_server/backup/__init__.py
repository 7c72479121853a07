"""A server's backup: what is copied and how it is verified, and a home that is made of it again."""
