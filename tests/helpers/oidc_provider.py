"""An identity provider on this machine, over real HTTP, with real RSA keys; tests spoil what it says."""

import base64
import hashlib
import hmac
import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
from joserfc import jws
from joserfc.jwk import RSAKey

from seed_server.settings.sections import OidcGroup, OidcSettings

CLIENT, SECRET = "seed-server-hq", "client-secret-0123456789"
GOOD_KEY = RSAKey.generate_key(2048, {"kid": "good", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "good", "use": "sig"})

Spoil = Callable[[dict[str, Any]], None]


def untouched(_what: dict[str, Any]) -> None:
    """Change nothing."""


def _coded(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def unsigned(claims: Mapping[str, Any], algorithm: str = "none") -> str:
    """Return a token with ``alg: none``."""
    header = {"alg": algorithm, "typ": "JWT", "kid": "good"}
    return ".".join(_coded(json.dumps(one).encode()) for one in (header, claims)) + "."


def by_public_key(claims: Mapping[str, Any]) -> str:
    """Return a token whose HMAC's secret is the provider's public key; by hand, as libraries refuse to make one."""
    text = unsigned(claims, "HS256")
    return text + _coded(hmac.digest(GOOD_KEY.as_pem(private=False), text[:-1].encode(), "sha256"))


def by(key: RSAKey) -> Callable[[Mapping[str, Any]], str]:
    """Return what signs tokens with ``key``."""
    return lambda claims: jws.serialize_compact(
        {"alg": "RS256", "kid": "good"}, json.dumps(claims), key, algorithms=["RS256"]
    )


@dataclass
class OidcProvider:
    """What the provider is, and how a test has spoilt it."""

    now: float
    address: str = ""
    person: dict[str, Any] = field(
        default_factory=lambda: {"sub": "u-17", "preferred_username": "Alice", "groups": ["patch-operators"]}
    )
    claims: Spoil = untouched
    discovery: Spoil = untouched
    answer: Spoil = untouched
    """Changes what the browser brings back."""
    sign: Callable[[Mapping[str, Any]], str] = field(default_factory=lambda: by(GOOD_KEY))
    in_id_token: bool = True
    """Name and groups are in the ID token; else userinfo alone has them."""
    public: bool = False
    asked: dict[str, str] = field(default_factory=dict)
    """The newest request to log in."""
    bodies: dict[str, bytes] = field(default_factory=dict)
    """Answers that are given in the place of its own, by path."""
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)
    _access: str = ""
    device: Spoil = untouched
    """Changes what begins a login by a code."""
    polls: list[str] = field(default_factory=list)
    """What it answers while nobody has confirmed the code: the first first; then somebody has."""
    devices: set[str] = field(default_factory=set)
    """The device codes that are open."""
    slow_head: float = 0.0
    """Seconds between two lines of an answer's head, which never ends."""

    def settings(self, **changes: Any) -> OidcSettings:
        """Return what a server's ``[oidc]`` says of it."""
        groups = (
            OidcGroup("patch-operators", ("operator",)),
            OidcGroup("oslo-network", ("network-admin",), sites=("oslo",)),
            OidcGroup("patch-admins", ("administrator",)),
        )
        given = {
            "issuer": self.address,
            "client_id": CLIENT,
            "client_secret_file": "" if self.public else "oidc-secret",
        }
        return OidcSettings(**{**given, "groups": groups, **changes})

    def browse(self, address: str) -> httpx.Response:
        """Do what a browser does with somebody who logs in."""
        with httpx.Client(trust_env=False, follow_redirects=True) as client:
            return client.get(address)

    # --- its pages -----------------------------------------------------------------------

    def get(self, path: str, query: dict[str, str], fields: Mapping[str, str]) -> tuple[int, dict[str, Any] | str]:
        """Answer a GET: with a document, or where to go."""
        if path == "/.well-known/openid-configuration":
            found: dict[str, Any] = {
                "issuer": self.address,
                "authorization_endpoint": f"{self.address}/authorize",
                "token_endpoint": f"{self.address}/token",
                "userinfo_endpoint": f"{self.address}/userinfo",
                "jwks_uri": f"{self.address}/keys",
                "device_authorization_endpoint": f"{self.address}/device",
            }
            self.discovery(found)
            return 200, found
        if path == "/keys":
            return 200, {"keys": [GOOD_KEY.as_dict(private=False)]}
        if path == "/userinfo":
            right = fields.get("Authorization") == f"Bearer {self._access}"
            return (200, dict(self.person)) if right else (401, {"error": "invalid_token"})
        if path == "/authorize":
            self.asked, code = query, secrets.token_urlsafe(16)
            self._codes[code] = query
            answer: dict[str, Any] = {"code": code, "state": query["state"]}
            self.answer(answer)
            return 302, f"{query['redirect_uri']}?{urlencode(answer)}"
        return 404, {}

    def post(self, path: str, form: dict[str, str], fields: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a client that proves who it is: with a device code, or tokens."""
        basic = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        if form.get("client_id") != CLIENT if self.public else fields.get("Authorization") != f"Basic {basic}":
            return 401, {"error": "invalid_client"}
        if path == "/device":
            self.asked, code = form, secrets.token_urlsafe(16)
            self.devices.add(code)
            found: dict[str, Any] = {
                "device_code": code, "user_code": "WDJB-MJHT", "verification_uri": f"{self.address}/go",
                "verification_uri_complete": f"{self.address}/go?code=WDJB-MJHT", "expires_in": 600, "interval": 5,
            }  # fmt: skip
            self.device(found)
            return 200, found
        if form.get("grant_type") != "authorization_code":
            return self._device_token(form)
        return self.token(form)

    def _device_token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code":
            return 400, {"error": "unsupported_grant_type"}
        if form.get("device_code") not in self.devices:
            return 400, {"error": "invalid_grant"}
        if self.polls:
            return 400, {"error": self.polls.pop(0)}
        self.devices.remove(form["device_code"])
        return 200, self._issued({})

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Answer a request for tokens: a code is taken once, with its verifier, from who has the secret."""
        asked = self._codes.pop(form.get("code", ""), None)
        if asked is None or asked["redirect_uri"] != form["redirect_uri"]:
            return 400, {"error": "invalid_grant", "error_description": "the code is not known"}
        proof = hashlib.sha256(form["code_verifier"].encode()).digest()
        if base64.urlsafe_b64encode(proof).decode().rstrip("=") != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        return 200, self._issued({"nonce": asked["nonce"]})

    def _issued(self, more: dict[str, Any]) -> dict[str, Any]:
        self._access = secrets.token_urlsafe(16)
        half = hashlib.sha256(self._access.encode()).digest()[:16]
        claims = {
            "iss": self.address, "aud": CLIENT, "sub": self.person["sub"], "iat": int(self.now),
            "exp": int(self.now) + 300, "at_hash": base64.urlsafe_b64encode(half).decode().rstrip("="), **more,
        }  # fmt: skip
        if self.in_id_token:
            claims |= self.person
        self.claims(claims)
        return {"access_token": self._access, "token_type": "Bearer", "id_token": self.sign(claims)}


@contextmanager
def oidc_provider(now: float) -> Iterator[OidcProvider]:
    """Run a provider on a free port of this machine."""
    provider = OidcProvider(now)

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            target = urlsplit(self.path)
            self._send(*provider.get(target.path, _single(target.query), dict(self.headers)))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            self._send(*provider.post(urlsplit(self.path).path, _single(body), dict(self.headers)))

        def _send(self, status: int, answer: dict[str, Any] | str) -> None:
            body = b"" if isinstance(answer, str) else json.dumps(answer).encode()
            body = provider.bodies.get(urlsplit(self.path).path, body)
            self.send_response(status)
            while provider.slow_head:
                time.sleep(provider.slow_head)
                self.send_header("X-More", "1")
                try:
                    self.flush_headers()
                except OSError:
                    return
            if isinstance(answer, str):
                self.send_header("Location", answer)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        provider.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(  # noqa: TID251 - the standard library's server wants one
            target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        thread.start()
        try:
            yield provider
        finally:
            server.shutdown()
            thread.join()


def _single(text: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(text, keep_blank_values=True).items()}
