"""Asks an identity provider who somebody is: OpenID Connect, by code flow with PKCE (RFC 7636) or a code for
another device (RFC 8628). Blocking.

The one file that imports httpx for logins. What the provider answers is hostile until its signature is verified: it
is bounded in size and time, redirects are not followed, and no secret of a login is in an error or a log.
"""

import base64
import hashlib
import ipaddress
import json
import re
import secrets
import ssl
from collections.abc import Callable, Container, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import quote, urlencode, urlsplit

import trio

from p2pdist.shared.capped_files import FileTooLargeError, read_capped
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.server_extra import need_server_extra
from seed_server.fleet.device_login import DEVICE_GRANT, DEVICE_WAITS, DeviceLogin, DeviceWait, device_login
from seed_server.fleet.id_token import ExpectedToken, verified_claims
from seed_server.settings.home import ServerHome
from seed_server.settings.sections import OidcSettings

if TYPE_CHECKING:
    from collections.abc import Iterator


PROVIDER_SECONDS = 20.0  # for each answer, as a whole
MAX_PROVIDER_BYTES = 1 << 20
MAX_CLIENT_SECRET_BYTES = 10_000
MAX_GROUPS = 10_000  # of one person: Entra ID gives at most 200, Keycloak and LDAP more
ATTEMPT_SECRET_BYTES = 32
PLAIN_JSON = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "p2pdist"}

_PLAIN_ADDRESS = re.compile(r"[\x21-\x7e]+")
_LOCAL_ACCOUNTS_STAY = "Accounts with a password and the machine's administrator get in meanwhile."


@dataclass(frozen=True)
class LoginAttempt:
    """One attempt to log in, from its address to the answer; its secrets are kept nowhere else."""

    redirect_uri: str
    state: str = field(default_factory=lambda: secrets.token_urlsafe(ATTEMPT_SECRET_BYTES), repr=False)
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(ATTEMPT_SECRET_BYTES), repr=False)
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(ATTEMPT_SECRET_BYTES), repr=False)

    @property
    def challenge(self) -> str:
        """What the provider may know of the verifier."""
        return base64.urlsafe_b64encode(hashlib.sha256(self.verifier.encode()).digest()).decode().rstrip("=")


@dataclass(frozen=True)
class ProvenIdentity:
    """Who somebody is to the provider, verified."""

    subject: str
    """Issuer, a blank, ``sub``: the provider gives it to nobody else."""
    name: str
    """What they call themselves there."""
    groups: frozenset[str]
    authenticated_at: float = 0.0
    """When they last showed the provider who they are, seconds since 1970; 0: it does not say."""


class _Posted(TypedDict):
    headers: dict[str, str]
    form: dict[str, str]


class IdentityProvider:
    """The provider that ``server.toml`` names. Not to be called in a trio task, but in a thread of its own.

    Every method raises `UserError`: UNREACHABLE for a provider that does not answer, REFUSED for an answer that is not
    acceptable, BAD_INPUT for settings that are not.
    """

    def __init__(self, settings: OidcSettings, home: ServerHome, *, answer_seconds: float = PROVIDER_SECONDS) -> None:
        """``answer_seconds`` are given to each answer."""
        need_server_extra("joserfc")  # before somebody has logged in for nothing
        self._settings = settings
        self._secret = _client_secret(settings, home)
        self._host = _checked_address(settings.issuer, "issuer")
        self._tls = _tls(settings, home)
        self._by_proxy = not _is_loopback(settings.issuer)  # a company's
        self._answer_seconds = answer_seconds
        self._found: dict[str, Any] = {}

    def login_address(self, attempt: LoginAttempt, *, again: bool = False) -> str:
        """Return where somebody logs in, in a browser; ``again``: also who is logged in there is asked who they are."""
        address = self._endpoint("authorization_endpoint")
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": attempt.redirect_uri,
            "scope": self._scope(),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
            **({"prompt": "login", "max_age": "0"} if again else {}),
        }
        return f"{address}{'&' if urlsplit(address).query else '?'}{urlencode(asked)}"

    def identity(self, attempt: LoginAttempt, answer: Mapping[str, str], now: float) -> ProvenIdentity:
        """Return who has logged in; ``answer``: what the browser brought, whose state has been compared.

        ``now``: seconds since 1970.
        """
        self._check_answer(answer)
        return self._proven(self._tokens(attempt, answer["code"]), attempt.nonce, now)

    def begin_device_login(self) -> DeviceLogin:
        """Begin a login that is finished in a browser anywhere (RFC 8628)."""
        if not isinstance(self._discovered().get("device_authorization_endpoint"), str):
            raise UserError(
                f"The identity provider {self._host} offers no login by a code. Have its administrator allow the "
                "device authorization grant, or log in by a tunnel (docs/people.md).",
                FaultKind.REFUSED,
            )
        form = {"scope": self._scope()}
        address = self._endpoint("device_authorization_endpoint")
        found = self._json("POST", address, **self._as_client(form))
        try:
            login = device_login(found)
        except ValueError as error:
            raise self._wrong(str(error)) from error
        for place in filter(None, (login.address, login.whole_address)):
            _checked_address(place, "verification_uri", loopback=_is_loopback(self._settings.issuer))
        return login

    def poll_device_login(self, login: DeviceLogin, now: Callable[[], float]) -> ProvenIdentity | DeviceWait:
        """Ask once whether somebody has finished ``login``; ``now`` returns seconds since 1970."""
        form = {"grant_type": DEVICE_GRANT, "device_code": login.device_code}
        address = self._endpoint("token_endpoint")
        tokens = self._json("POST", address, known_errors=DEVICE_WAITS, **self._as_client(form))
        if (waiting := DEVICE_WAITS.get(str(tokens.get("error")))) is not None:
            return waiting
        return self._proven(tokens, None, now())

    def _proven(self, tokens: Mapping[str, Any], nonce: str | None, now: float) -> ProvenIdentity:
        access, id_token = tokens.get("access_token"), tokens.get("id_token")
        if not isinstance(access, str) or not isinstance(id_token, str):
            raise self._wrong("it gave no ID token; the scope openid must be allowed for this client")
        expected = ExpectedToken(self._settings.issuer, self._settings.client_id, nonce, access, now)
        claims = verified_claims(id_token, self._json("GET", self._endpoint("jwks_uri")), expected)
        wanted = (self._settings.name_claim, self._settings.groups_claim)
        if any(name not in claims for name in wanted) and "userinfo_endpoint" in self._discovered():
            claims = {**self._user_info(access, claims["sub"]), **claims}
        return ProvenIdentity(
            f"{self._settings.issuer} {claims['sub']}",
            self._name(claims),
            self._groups(claims),
            _auth_time(claims, now),
        )

    # --- what the provider says ----------------------------------------------------------

    def _discovered(self) -> dict[str, Any]:
        if not self._found:
            found = self._json("GET", f"{self._settings.issuer.rstrip('/')}/.well-known/openid-configuration")
            if found.get("issuer") != self._settings.issuer:
                raise UserError(
                    f"The identity provider at {self._host} names itself {str(found.get('issuer'))[:200]!r}, and "
                    f"server.toml names it {self._settings.issuer!r}. If that is the right one, write its name to the "
                    "letter as 'issuer' in [oidc].",
                    FaultKind.BAD_INPUT,
                )
            self._found = found
        return self._found

    def _endpoint(self, name: str) -> str:
        address = self._discovered().get(name)
        if not isinstance(address, str):
            raise self._wrong(f"it names no {name}")
        _checked_address(address, name, loopback=_is_loopback(self._settings.issuer))
        return address

    def _check_answer(self, answer: Mapping[str, str]) -> None:
        if "error" in answer:
            said = " ".join(filter(None, (answer["error"], answer.get("error_description", ""))))[:300]
            raise UserError(
                f"The identity provider let nobody in: {said}. Ask its administrator, or log in again.",
                FaultKind.REFUSED,
            )
        # RFC 9207: an answer of another provider is not taken to this one
        promised = self._discovered().get("authorization_response_iss_parameter_supported") is True
        if answer.get("iss", None if promised else self._settings.issuer) != self._settings.issuer:
            raise self._wrong("it came from another issuer")
        if not answer.get("code"):
            raise self._wrong("it brought no code")

    def _tokens(self, attempt: LoginAttempt, code: str) -> dict[str, Any]:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": attempt.redirect_uri,
            "code_verifier": attempt.verifier,
        }
        return self._json("POST", self._endpoint("token_endpoint"), **self._as_client(form))

    def _scope(self) -> str:
        return " ".join(dict.fromkeys(("openid", *self._settings.scopes)))

    def _as_client(self, form: dict[str, str]) -> "_Posted":
        """Return what is sent, with what proves to the provider which client asks."""
        headers: dict[str, str] = {}
        by = self._discovered().get("token_endpoint_auth_methods_supported", ["client_secret_basic"])
        if not self._secret:
            form["client_id"] = self._settings.client_id
        elif isinstance(by, list) and "client_secret_basic" not in by and "client_secret_post" in by:
            form |= {"client_id": self._settings.client_id, "client_secret": self._secret}
        else:  # RFC 6749, section 2.3.1
            pair = f"{quote(self._settings.client_id, safe='')}:{quote(self._secret, safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        return {"headers": headers, "form": form}

    def _user_info(self, access_token: str, subject: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {access_token}"}
        found = self._json("GET", self._endpoint("userinfo_endpoint"), headers=headers)
        if found.get("sub") != subject:
            raise self._wrong("it told of another person than its ID token")
        return found

    def _name(self, claims: Mapping[str, Any]) -> str:
        name = claims.get(self._settings.name_claim)
        if not isinstance(name, str):
            raise self._wrong(f"it does not say {self._settings.name_claim!r}, the name ('name_claim' in [oidc])")
        return name

    def _groups(self, claims: Mapping[str, Any]) -> frozenset[str]:
        groups = claims.get(self._settings.groups_claim, [])
        if isinstance(groups, str):
            groups = [groups]
        if not isinstance(groups, list) or len(groups) > MAX_GROUPS:
            raise self._wrong(f"{self._settings.groups_claim!r} is no list of groups, or too long")
        return frozenset(group for group in groups if isinstance(group, str))

    # --- how it is asked -----------------------------------------------------------------

    def _json(
        self,
        method: str,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        form: Mapping[str, str] | None = None,
        known_errors: Container[str] = (),
    ) -> dict[str, Any]:
        """``known_errors``: their document is returned."""
        with self._explained(address):
            status, body = trio.run(self._answer, method, address, headers, form)
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            document = None
        if status != 200 and isinstance(document, dict) and isinstance(document.get("error"), str):
            if document["error"] in known_errors:
                return document
            said = " ".join(str(document.get(name, "")) for name in ("error", "error_description")).strip()[:300]
            raise self._wrong(f"it said {said}")
        if status != 200 or not isinstance(document, dict):
            raise self._wrong(f"{urlsplit(address).path[:200]} gave status {status}, and nothing that can be read")
        return document

    async def _answer(
        self, method: str, address: str, headers: Mapping[str, str] | None, form: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        """Return status and body. Raises `trio.TooSlowError`: a head may trickle, too, which httpx does not bound."""
        import httpx

        received, status, too_long = bytearray(), 0, False
        with trio.move_on_after(self._answer_seconds) as within:
            async with (
                httpx.AsyncClient(verify=self._tls, trust_env=self._by_proxy, timeout=PROVIDER_SECONDS) as client,
                client.stream(method, address, headers={**PLAIN_JSON, **(headers or {})}, data=form) as answer,
            ):
                status = answer.status_code
                async for chunk in answer.aiter_raw():
                    too_long = too_long or len(received) + len(chunk) > MAX_PROVIDER_BYTES
                    if too_long:
                        within.cancel()  # to leave the loop here would leave httpx's generators open
                    else:
                        received += chunk
        if too_long:
            raise self._wrong("it is too long")
        if within.cancelled_caught:
            raise trio.TooSlowError
        return status, bytes(received)

    @contextmanager
    def _explained(self, address: str) -> "Iterator[None]":
        import httpx

        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL, OSError, trio.TooSlowError) as error:
            host = (urlsplit(address).hostname or "")[:200]
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                raise UserError(
                    f"The identity provider {host} shows a certificate that this machine does not trust. Name the "
                    "company's authority with 'ca_file' in [oidc] of server.toml, or ask the provider's "
                    "administrator.",
                    FaultKind.REFUSED,
                ) from error
            raise UserError(
                f"The identity provider {host} does not answer ({type(error).__name__}). Look whether it runs, whether "
                f"this machine reaches it (HTTPS_PROXY?), and at 'issuer' in [oidc] of server.toml. "
                f"{_LOCAL_ACCOUNTS_STAY}",
                FaultKind.UNREACHABLE,
            ) from error

    def _wrong(self, what: str) -> UserError:
        return UserError(
            f"The answer of the identity provider {self._host} was not taken: {what}. Log in again; if that stays so, "
            "have its administrator compare its client with [oidc] in server.toml.",
            FaultKind.REFUSED,
        )


def _auth_time(claims: Mapping[str, Any], now: float) -> float:
    """Return when somebody showed who they are; what is still to come, by another clock, is now."""
    at = claims.get("auth_time")
    plain = isinstance(at, int | float) and not isinstance(at, bool) and at > 0
    return min(float(at), now) if plain else 0.0  # type: ignore[arg-type] # is a number


# --- settings ----------------------------------------------------------------------------


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _checked_address(address: str, what: str, *, loopback: bool = True) -> str:
    """Return the host of an address. Raises `UserError` (BAD_INPUT) for what is neither HTTPS nor on this machine."""
    try:
        parts = urlsplit(address)
        host = parts.hostname if parts.port != 0 else None
        plain = loopback and parts.scheme == "http" and _is_loopback(address)
        right = (parts.scheme == "https" or plain) and not parts.fragment and not parts.username
        right = right and _PLAIN_ADDRESS.fullmatch(address) is not None  # it is shown, and sent to a browser in a head
    except ValueError:
        host, right = None, False
    if not host or not right:
        raise UserError(
            f"The {what} of the identity provider, {address[:200]!r}, is no address that begins with https://. Correct "
            "'issuer' in [oidc] of server.toml, or the provider.",
            FaultKind.BAD_INPUT,
        )
    return host


def _client_secret(settings: OidcSettings, home: ServerHome) -> str:
    if not settings.client_secret_file:
        return ""
    path = home.root / settings.client_secret_file
    try:
        mode, text = path.stat().st_mode, read_capped(path, MAX_CLIENT_SECRET_BYTES).decode().strip()
    except OSError as error:
        raise UserError(
            f"Cannot read {path}, 'client_secret_file' in [oidc] of server.toml: {error.strerror}.", FaultKind.BAD_INPUT
        ) from error
    except (FileTooLargeError, UnicodeDecodeError) as error:
        raise UserError(
            f"{path}, 'client_secret_file' in [oidc], holds no secret: {error}", FaultKind.BAD_INPUT
        ) from error
    if mode & 0o077:
        raise UserError(
            f"Others on this machine can read {path}, the client secret. Close it with: chmod 600 {path}, and have the "
            "provider give a new secret.",
            FaultKind.REFUSED,
        )
    return text


def _tls(settings: OidcSettings, home: ServerHome) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=str(home.root / settings.ca_file) if settings.ca_file else None)
    except OSError as error:  # ssl.SSLError is one
        raise UserError(
            f"Cannot use {settings.ca_file}, 'ca_file' in [oidc] of server.toml: {error}.", FaultKind.BAD_INPUT
        ) from error
