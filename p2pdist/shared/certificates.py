"""Reads certificates that others have made: whatever is wrong with the bytes is a `ValueError`."""

from cryptography import x509


def parse_certificate(pem: bytes) -> x509.Certificate:
    """Return the first certificate in ``pem``, which may be hostile. Raises `ValueError`."""
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise
    except Exception as error:  # x509.InvalidVersion and others of `cryptography` are no ValueError
        raise ValueError(f"the certificate cannot be read: {type(error).__name__}") from error
