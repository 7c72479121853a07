"""What every answer of the pages says besides: what a browser may load, do, keep and tell others. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

HSTS_SECONDS = 30 * 86_400  # browsers heed it where they trust the certificate; longer would outlast a change of it

_SECURITY: Mapping[str, str] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; "
            "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
        ),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }
)


def page_headers(request_id: str, *, tls: bool, cache: str = "no-store") -> dict[str, str]:
    """Return the headers of an answer; ``tls``: whether it goes over TLS."""
    own = {**_SECURITY, "Cache-Control": cache}
    if request_id:
        own["X-Request-Id"] = request_id
    if tls:
        own["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"
    return own
