"""Logins at a provider over real HTTP, with real keys, and all that may be wrong with its answers."""

import importlib.util
import json
import logging
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
from joserfc.jwk import ECKey, RSAKey

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.device_login import DeviceWait
from seed_server.fleet.id_token import ExpectedToken, verified_claims
from seed_server.fleet.identity_provider import MAX_PROVIDER_BYTES, IdentityProvider, LoginAttempt, ProvenIdentity
from seed_server.settings.home import ServerHome
from tests.helpers.oidc_provider import (
    GOOD_KEY,
    OTHER_KEY,
    SECRET,
    OidcProvider,
    by,
    by_public_key,
    oidc_provider,
    unsigned,
)

NOW = 1_790_000_000.0
REDIRECT = "http://127.0.0.1:9/callback"


@pytest.fixture
def provider() -> Iterator[OidcProvider]:
    with oidc_provider(NOW) as running:
        yield running


@pytest.fixture
def home(tmp_path: Path) -> ServerHome:
    (tmp_path / "oidc-secret").write_text(f"{SECRET}\n")
    (tmp_path / "oidc-secret").chmod(0o600)
    return ServerHome(tmp_path)


def answer_of(address: str) -> dict[str, str]:
    """Log in at ``address``, and return what the browser would bring back."""
    with httpx.Client(trust_env=False) as browser:
        return dict(parse_qsl(urlsplit(browser.get(address).headers["Location"]).query))


def logged_in(
    provider: OidcProvider, home: ServerHome, *, attempt: LoginAttempt | None = None, **changes: Any
) -> ProvenIdentity:
    attempt = attempt or LoginAttempt(REDIRECT)
    client = IdentityProvider(provider.settings(**changes), home)
    return client.identity(attempt, answer_of(client.login_address(attempt)), NOW)


def refusal(act: Callable[[], object], kind: FaultKind = FaultKind.REFUSED) -> str:
    with pytest.raises(UserError) as caught:
        act()
    assert caught.value.kind is kind, caught.value.message
    return caught.value.message


def test_a_login_says_who_it_is_and_in_which_groups(provider: OidcProvider, home: ServerHome) -> None:
    whole = ProvenIdentity(f"{provider.address} u-17", "Alice", frozenset({"patch-operators"}))
    assert logged_in(provider, home) == whole
    assert provider.asked["code_challenge_method"] == "S256"
    assert provider.asked["scope"] == "openid profile"
    provider.in_id_token = False
    assert logged_in(provider, home) == whole, "from userinfo"
    provider.public = True
    provider.discovery = lambda found: found.update(authorization_response_iss_parameter_supported=True)
    provider.answer = lambda answer: answer.update(iss=provider.address)
    assert logged_in(provider, home) == whole, "without a client secret"


def spoilt(**claims: Any) -> Callable[[OidcProvider], None]:
    def spoil(provider: OidcProvider) -> None:
        def change(told: dict[str, Any]) -> None:
            for name, value in claims.items():
                if value is None:
                    del told[name]
                else:
                    told[name] = value

        provider.claims = change

    return spoil


def signed(sign: Callable[[Any], str]) -> Callable[[OidcProvider], None]:
    return lambda provider: setattr(provider, "sign", sign)


WRONG: dict[str, tuple[Callable[[OidcProvider], None], str]] = {
    "nonce": (spoilt(nonce="other"), "of another login"),
    "no nonce": (spoilt(nonce=None), "of another login"),
    "issuer": (spoilt(iss="https://evil.example"), "another issuer"),
    "audience": (spoilt(aud="other"), "for another program"),
    "no audience": (spoilt(aud=None), "for another program"),
    "other party": (spoilt(azp="other"), "for another program"),
    "many audiences": (spoilt(aud=["seed-server-hq", "other"]), "does not say which asked"),
    "expired": (spoilt(exp=int(NOW) - 61), "has expired"),
    "no end": (spoilt(exp=None), "when it was made and when it ends"),
    "a word as end": (spoilt(exp="never"), "when it was made and when it ends"),
    "no time": (spoilt(iat=None), "when it was made and when it ends"),
    "of the future": (spoilt(iat=int(NOW) + 61), "of the future"),
    "not yet": (spoilt(nbf=int(NOW) + 61), "of the future"),
    "no subject": (spoilt(sub=None), "who it is about"),
    "two subjects in one": (spoilt(sub="a\nb"), "who it is about"),
    "other access token": (spoilt(at_hash="AAAAAAAAAAAAAAAAAAAAAA"), "do not belong together"),
    "unsigned": (signed(unsigned), "signed by 'none', which proves nothing"),
    "hmac by the public key": (signed(by_public_key), "signed by 'HS256', which proves nothing"),
    "other key": (signed(by(OTHER_KEY)), "none of its keys has signed"),
    "no token": (signed(lambda _: "abc"), "no signed token"),
    "a word": (signed(lambda _: "ä.ö.ü"), "no token, or too long"),
    "too long": (signed(lambda _: "a" * 70_000), "no token, or too long"),
    "a changed token": (signed(lambda claims: by(GOOD_KEY)(claims).replace(".", ".e30", 1)), "was not taken"),
    "no id token": (signed(lambda _: None), "gave no ID token"),  # type: ignore[arg-type, return-value]
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_id_token_lets_nobody_in(provider: OidcProvider, home: ServerHome, what: str) -> None:
    spoil, words = WRONG[what]
    spoil(provider)
    assert words in refusal(lambda: logged_in(provider, home))


def test_a_code_is_taken_once_and_from_who_asked_for_it(provider: OidcProvider, home: ServerHome) -> None:
    mine, stolen = LoginAttempt(REDIRECT), LoginAttempt(REDIRECT)
    client = IdentityProvider(provider.settings(), home)
    answer = answer_of(client.login_address(mine))
    client.identity(mine, answer, NOW)
    assert "invalid_grant the code is not known" in refusal(lambda: client.identity(mine, answer, NOW))
    answer = answer_of(client.login_address(mine))
    assert "invalid_grant PKCE" in refusal(lambda: client.identity(stolen, answer, NOW))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"error": "access_denied", "error_description": "no"}, "let nobody in: access_denied no"),
        ({"code": "x", "iss": "https://evil.example"}, "from another issuer"),
        ({}, "brought no code"),
    ],
)
def test_a_wrong_answer_is_not_taken_to_the_provider(
    provider: OidcProvider, home: ServerHome, answer: dict[str, str], words: str
) -> None:
    client = IdentityProvider(provider.settings(), home)
    assert words in refusal(lambda: client.identity(LoginAttempt(REDIRECT), answer, NOW))


def test_an_answer_without_the_issuer_that_was_promised_is_of_somebody_else(
    provider: OidcProvider, home: ServerHome
) -> None:
    provider.discovery = lambda found: found.update(authorization_response_iss_parameter_supported=True)
    assert "from another issuer" in refusal(lambda: logged_in(provider, home))


def test_a_provider_that_names_itself_otherwise_is_not_asked(provider: OidcProvider, home: ServerHome) -> None:
    provider.discovery = lambda found: found.update(issuer="https://evil.example")
    assert "to the letter" in refusal(lambda: logged_in(provider, home), FaultKind.BAD_INPUT)


@pytest.mark.parametrize("place", ["ftp://x", "http://provider.example/token", "https://u@x", "https://[", "nothing"])
def test_addresses_are_https(provider: OidcProvider, home: ServerHome, place: str) -> None:
    assert "https://" in refusal(lambda: logged_in(provider, home, issuer=place), FaultKind.BAD_INPUT)
    provider.discovery = lambda found: found.update(token_endpoint=place)
    assert "token_endpoint" in refusal(lambda: logged_in(provider, home), FaultKind.BAD_INPUT)


@pytest.mark.parametrize(
    "place", ["https://x/\x1b[2J", "https://x/\r\nSet-Cookie: a=b", "https://x/a b", "https://x/ä"]
)
def test_an_address_brings_nothing_into_a_terminal_or_a_head(
    provider: OidcProvider, home: ServerHome, place: str
) -> None:
    provider.discovery = lambda found: found.update(authorization_endpoint=place)
    assert "authorization_endpoint" in refusal(lambda: logged_in(provider, home), FaultKind.BAD_INPUT)


def test_userinfo_of_another_person_is_not_taken(provider: OidcProvider, home: ServerHome) -> None:
    provider.in_id_token = False
    provider.claims = lambda claims: claims.update(sub="u-18")
    assert "another person" in refusal(lambda: logged_in(provider, home))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>", "nothing that can be read"),
        (b"[]", "nothing that can be read"),
        (b"[" * 100_000, "nothing that can be read"),
        (b" " * (MAX_PROVIDER_BYTES + 1), "too long"),
    ],
)
@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_an_answer_is_bounded_and_json(
    provider: OidcProvider, home: ServerHome, path: str, body: bytes, words: str
) -> None:
    provider.bodies[path] = body
    assert words in refusal(lambda: logged_in(provider, home))


@pytest.mark.parametrize("groups", [7, {"a": 1}, ["x"] * 10_001])
def test_groups_that_are_no_list_are_not_taken(provider: OidcProvider, home: ServerHome, groups: object) -> None:
    provider.person["groups"], provider.in_id_token = groups, False
    assert "'groups' is no list of groups" in refusal(lambda: logged_in(provider, home))


def test_a_provider_that_is_down_is_named_with_what_to_do(home: ServerHome) -> None:
    with oidc_provider(NOW) as gone:
        settings = gone.settings()
    client = IdentityProvider(settings, home)
    told = refusal(lambda: client.login_address(LoginAttempt(REDIRECT)), FaultKind.UNREACHABLE)
    assert "127.0.0.1 does not answer (ConnectError)" in told
    assert "Accounts with a password" in told


def test_the_client_secret_is_private_and_is_told_to_nobody(
    provider: OidcProvider, home: ServerHome, caplog: pytest.LogCaptureFixture
) -> None:
    attempt = LoginAttempt(REDIRECT)
    client = IdentityProvider(provider.settings(), home)
    answers = [answer_of(client.login_address(attempt)) for _ in "ab"]
    caplog.set_level(logging.DEBUG)
    client.identity(attempt, answers[0], NOW)
    provider.sign = unsigned
    told = refusal(lambda: client.identity(attempt, answers[1], NOW)) + caplog.text + repr(attempt)
    for secret in (SECRET, attempt.verifier, attempt.nonce, attempt.state):
        assert secret not in told
    (home.root / "oidc-secret").chmod(0o640)
    assert "chmod 600" in refusal(lambda: logged_in(provider, home))
    (home.root / "oidc-secret").write_bytes(b"\xff")
    assert "holds no secret" in refusal(lambda: logged_in(provider, home), FaultKind.BAD_INPUT)
    (home.root / "oidc-secret").unlink()
    assert "Cannot read" in refusal(lambda: logged_in(provider, home), FaultKind.BAD_INPUT)
    assert "'ca_file'" in refusal(
        lambda: logged_in(provider, home, client_secret_file="", ca_file="none.pem"), FaultKind.BAD_INPUT
    )


def test_who_has_not_the_library_is_told_how_to_install_it(
    provider: OidcProvider, home: ServerHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert "pip install 'p2pdist[server]'" in refusal(lambda: logged_in(provider, home), FaultKind.FAILED)


def keys_and_token(key: Any, algorithm: str) -> tuple[dict[str, Any], str]:
    from joserfc import jws

    claims = {"iss": "i", "aud": "c", "sub": "s", "nonce": "n", "iat": NOW, "exp": NOW + 9}
    token = jws.serialize_compact({"alg": algorithm}, json.dumps(claims), key, algorithms=[algorithm])
    return {"keys": [{"kty": "oct", "k": "AAAA"}, {"kty": "new"}, 7, key.as_dict(private=False)]}, token


def test_keys_of_other_kinds_are_passed_over_and_small_ones_are_none() -> None:
    expected = ExpectedToken("i", "c", "n", "", NOW)
    for key, algorithm in ((ECKey.generate_key("P-256"), "ES256"), (GOOD_KEY, "PS256")):
        keys, token = keys_and_token(key, algorithm)
        assert verified_claims(token, keys, expected)["sub"] == "s"
        nothing: dict[str, Any]
        for nothing in ({}, {"keys": "x"}, {"keys": []}, {"keys": [{**keys["keys"][-1], "use": "enc"}]}):
            assert "none of its keys" in refusal(lambda: verified_claims(token, nothing, expected))  # noqa: B023
    with warnings.catch_warnings(action="ignore"):
        keys, token = keys_and_token(RSAKey.generate_key(1024), "RS256")
        assert "none of its keys" in refusal(lambda: verified_claims(token, keys, expected))


# --- by a code for another device


def by_device(provider: OidcProvider, home: ServerHome, **changes: Any) -> ProvenIdentity | DeviceWait:
    client = IdentityProvider(provider.settings(**changes), home)
    return client.poll_device_login(client.begin_device_login(), lambda: NOW)


@pytest.mark.parametrize("public", [False, True])
def test_a_login_by_a_code_says_who_it_is(provider: OidcProvider, home: ServerHome, public: bool) -> None:
    provider.public = public
    provider.polls = ["authorization_pending", "slow_down"]
    client = IdentityProvider(provider.settings(), home)
    login = client.begin_device_login()
    assert (login.user_code, login.address) == ("WDJB-MJHT", f"{provider.address}/go")
    assert (login.whole_address, login.poll_seconds) == (f"{provider.address}/go?code=WDJB-MJHT", 5.0)
    assert provider.asked["scope"] == "openid profile"
    answers = [client.poll_device_login(login, lambda: NOW) for _ in range(3)]
    whole = ProvenIdentity(f"{provider.address} u-17", "Alice", frozenset({"patch-operators"}))
    assert answers == [DeviceWait.PENDING, DeviceWait.SLOW_DOWN, whole]
    assert "it said invalid_grant" in refusal(lambda: client.poll_device_login(login, lambda: NOW)), "taken once"


@pytest.mark.parametrize("what", ["issuer", "audience", "expired", "unsigned", "hmac by the public key", "other key"])
def test_a_wrong_id_token_of_a_login_by_a_code_lets_nobody_in(
    provider: OidcProvider, home: ServerHome, what: str
) -> None:
    spoil, words = WRONG[what]
    spoil(provider)
    assert words in refusal(lambda: by_device(provider, home))


def test_an_id_token_of_a_login_in_a_browser_is_none_of_a_login_by_a_code(
    provider: OidcProvider, home: ServerHome
) -> None:
    provider.claims = lambda claims: claims.update(nonce="of the other")
    assert "of another login" in refusal(lambda: by_device(provider, home))


@pytest.mark.parametrize("said", ["access_denied", "expired_token"])
def test_who_declines_a_code_is_told_what_the_provider_said(
    provider: OidcProvider, home: ServerHome, said: str
) -> None:
    provider.polls = [said]
    assert f"it said {said}" in refusal(lambda: by_device(provider, home))


def test_a_provider_without_logins_by_a_code_is_named(provider: OidcProvider, home: ServerHome) -> None:
    provider.discovery = lambda found: found.pop("device_authorization_endpoint")
    assert "offers no login by a code" in refusal(lambda: by_device(provider, home))


@pytest.mark.parametrize("place", ["http://login.example.com/go", "javascript:alert(1)", "https://u@login.example.com"])
@pytest.mark.parametrize("key", ["verification_uri", "verification_uri_complete"])
def test_nobody_is_sent_to_an_address_that_is_not_https(
    provider: OidcProvider, home: ServerHome, place: str, key: str
) -> None:
    provider.device = lambda found: found.update({key: place})
    assert "verification_uri" in refusal(lambda: by_device(provider, home), FaultKind.BAD_INPUT)


def test_a_device_code_is_told_to_nobody(
    provider: OidcProvider, home: ServerHome, caplog: pytest.LogCaptureFixture
) -> None:
    client = IdentityProvider(provider.settings(), home)
    caplog.set_level(logging.DEBUG)
    login = client.begin_device_login()
    provider.sign = unsigned
    told = refusal(lambda: client.poll_device_login(login, lambda: NOW)) + caplog.text + repr(login)
    assert login.device_code not in told
    assert provider._access not in told


def test_an_answer_whose_head_never_ends_is_not_waited_for(provider: OidcProvider, home: ServerHome) -> None:
    client = IdentityProvider(provider.settings(), home, answer_seconds=0.2)
    provider.slow_head = 0.05
    begun = time.monotonic()
    told = refusal(client.begin_device_login, FaultKind.UNREACHABLE)
    provider.slow_head = 0.0
    assert "does not answer (TooSlowError)" in told
    assert time.monotonic() - begun < 2
