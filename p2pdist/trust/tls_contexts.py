"""TLS contexts to reach the seed server: with a pinned authority, or for a document that is checked by its pin."""

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator
from pathlib import Path


def unverified_context() -> ssl.SSLContext:
    """Return a context that accepts any server: only for a document that is then checked against a pin."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def trusting_context(ca_pem: str) -> ssl.SSLContext:
    """Return a context that trusts only certificates of this CA that name the address connected to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks name and chain
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_verify_locations(cadata=ca_pem)
    return context


def client_context(ca_pem: str, certificate_pem: str, key_pem: str) -> ssl.SSLContext:
    """Return a context that also shows a certificate of our own.

    Raises `ssl.SSLError` when key and certificate do not belong together, `OSError` where a file cannot be made.
    """
    context = trusting_context(ca_pem)
    with _as_file(f"{certificate_pem}\n{key_pem}") as name:  # OpenSSL loads a chain only from a file
        context.load_cert_chain(name)
    return context


@contextlib.contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Hold ``text`` in a temporary file and yield its name. On Linux it is in memory: a full disk does not matter."""
    if hasattr(os, "memfd_create"):
        with open(os.memfd_create("certificate"), "w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            yield f"/proc/self/fd/{file.fileno()}"
        return
    descriptor, name = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(text)
        yield name
    finally:
        Path(name).unlink()
