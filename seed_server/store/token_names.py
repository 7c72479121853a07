"""What stands for a token where its secret must not: its hash, and its id. Pure."""

import hashlib

TOKEN_ID_BYTES = 6  # tells a million tokens apart


def hash_of_token(secret: bytes) -> bytes:
    """Return what the database keeps of a token: its SHA-256."""
    return hashlib.sha256(secret).digest()


def token_id_of(secret: bytes) -> str:
    """Return the id of the token with ``secret``: it names the token and opens nothing."""
    return hash_of_token(secret)[:TOKEN_ID_BYTES].hex()
