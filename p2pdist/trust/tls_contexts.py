"""TLS contexts to reach the seed server: with a pinned authority, or for a document that is checked by its pin."""

import ssl

from p2pdist.shared.named_memory import named_memory


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
    with named_memory(f"{certificate_pem}\n{key_pem}".encode()) as name:  # OpenSSL loads a chain only from a file
        context.load_cert_chain(name)
    return context
