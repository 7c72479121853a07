"""Is an ID token true, and of this login? OpenID Connect Core 1.0, section 3.1.3.7. The only import of joserfc.

Keys and token come from the network: only signatures by a private key count, so ``none`` and HMAC are no algorithms,
whatever a token's header says.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_extra import of_server_extra

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
MAX_ID_TOKEN_CHARS = 64 << 10
MAX_PROVIDER_KEYS = 100
MIN_RSA_BITS = 2048
CLOCK_LEEWAY_SECONDS = 60.0
MAX_SUB_CHARS = 255  # OpenID Connect Core, section 2

_KEY_TYPES = ("RSA", "EC", "OKP")  # never `oct`: a secret that a client knows proves nobody
_HASHES = {"256": "sha256", "384": "sha384", "512": "sha512"}


@dataclass(frozen=True)
class ExpectedToken:
    """What an ID token must say to be of this login."""

    issuer: str
    client_id: str
    nonce: str | None
    """None: the login had none, as one by a code for another device; the token comes from the provider directly."""
    access_token: str
    now: float


def verified_claims(text: str, keys: Mapping[str, object], expected: ExpectedToken) -> dict[str, Any]:
    """Return what an ID token says. Raises `UserError`: REFUSED, which says what is wrong; FAILED without joserfc."""
    header, claims = _signed(text, keys)
    _check(claims, header, expected)
    return claims


def _refused(what: str) -> UserError:
    return UserError(
        f"The identity provider's answer was not taken: {what}. Try again; if that stays so, have its administrator "
        "compare it with [oidc] in server.toml.",
        FaultKind.REFUSED,
    )


def _signed(text: str, keys: Mapping[str, object]) -> tuple[dict[str, Any], dict[str, Any]]:
    with of_server_extra():
        from joserfc import jws
        from joserfc.errors import JoseError

    if len(text) > MAX_ID_TOKEN_CHARS or not text.isascii():
        raise _refused("its ID token is no token, or too long")
    try:
        signed = jws.extract_compact(text.encode())
        header = dict(signed.headers())
        algorithm = header.get("alg")
        if algorithm not in ALGORITHMS:
            raise _refused(f"its ID token is signed by {str(algorithm)[:20]!r}, which proves nothing")
        for key in _usable_keys(keys, header.get("kid")):
            try:
                jws.deserialize_compact(text.encode(), key, algorithms=[algorithm])
            except (JoseError, ValueError, TypeError):
                continue
            claims = json.loads(signed.payload)
            if not isinstance(claims, dict):
                raise _refused("its ID token holds no claims")
            return header, claims
    except (JoseError, ValueError, TypeError, RecursionError) as error:
        raise _refused("its ID token is no signed token") from error
    raise _refused("none of its keys has signed the ID token")


def _usable_keys(document: Mapping[str, object], kid: object) -> list[Any]:
    """Return the public keys of a JWKS that may have signed, those named ``kid`` where a token names one."""
    from joserfc.errors import JoseError
    from joserfc.jwk import ECKey, OKPKey, RSAKey

    kinds: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
    listed = document.get("keys")
    found: list[Any] = []
    for one in listed[:MAX_PROVIDER_KEYS] if isinstance(listed, list) else ():
        if not isinstance(one, dict) or one.get("kty") not in _KEY_TYPES or one.get("use", "sig") != "sig":
            continue
        if kid is not None and one.get("kid") != kid:
            continue
        try:
            key: Any = kinds[one["kty"]].import_key(one)
        except (JoseError, ValueError, TypeError):  # of a kind that this release does not know
            continue
        if one["kty"] != "RSA" or key.public_key.key_size >= MIN_RSA_BITS:
            found.append(key)
    return found


def _check(claims: Mapping[str, Any], header: Mapping[str, Any], expected: ExpectedToken) -> None:
    if claims.get("iss") != expected.issuer:
        raise _refused("its ID token names another issuer")
    audience = claims.get("aud")
    audiences = audience if isinstance(audience, list) else [audience]
    party = claims.get("azp")
    if expected.client_id not in audiences or (party is not None and party != expected.client_id):
        raise _refused("its ID token is for another program")
    if len(audiences) > 1 and party is None:
        raise _refused("its ID token is for several programs, and does not say which asked")
    expires, issued = _time(claims.get("exp")), _time(claims.get("iat"))
    if expires is None or issued is None:
        raise _refused("its ID token does not say when it was made and when it ends")
    if expires <= expected.now - CLOCK_LEEWAY_SECONDS:
        raise _refused("its ID token has expired, or the clock of this machine is wrong")
    if max(issued, _time(claims.get("nbf")) or 0.0) > expected.now + CLOCK_LEEWAY_SECONDS:
        raise _refused("its ID token is of the future, or the clock of this machine is wrong")
    nonce = claims.get("nonce")
    if nonce is not None if expected.nonce is None else not _same(nonce, expected.nonce):
        raise _refused("its ID token is of another login")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUB_CHARS or not subject.isprintable():
        raise _refused("its ID token does not say who it is about")
    if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(header["alg"], expected.access_token)):
        raise _refused("its ID token and its access token do not belong together")


def _time(value: object) -> float | None:
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if plain and 0 <= value < 1e12 else None  # type: ignore[operator, arg-type] # is a number


def _same(given: object, expected: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(errors="replace"), expected.encode())


def _half_hash(algorithm: str, text: str) -> str:
    """Return ``at_hash``, OpenID Connect Core, section 3.1.3.6."""
    digest = hashlib.new(_HASHES.get(algorithm[2:], "sha512"), text.encode()).digest()  # Ed25519 hashes by SHA-512
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).decode().rstrip("=")
