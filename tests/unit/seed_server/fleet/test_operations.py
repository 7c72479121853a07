"""`seed_server.fleet.operations`: who did it is in the log, and what is not acceptable changes nothing."""

import inspect
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet.actor import Actor
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_pages import EndpointsQuestion
from seed_server.fleet.roles import PersonScope, rights_of
from seed_server.initialising import initialise
from seed_server.publishing.examination import Publication
from seed_server.publishing.recipe import PayloadFile, Recipe
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import OfflineKeys
from tests.helpers.fake_clock import FakeClock

ADA = Actor.local_user("ada")
ENDPOINT = "a" * 26
LONGEST_SECONDS = operations.MAX_TOKEN_DAYS * 86_400
PROFILE = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'
TEMPLATE = 'title = "OpenSSL"\n[[item]]\nlabel = "agent"\nchecks = [{ kind = "unit", unit = "agent.service" }]\n'

Run = Callable[[Context, OfflineKeys, Path], Any]


@pytest.fixture
def context(tmp_path: Path) -> Context:
    home = ServerHome(tmp_path / "home")
    initialise(home, ServerSettings(name="hq", address="127.0.0.1"), passphrase=None, now=time.time())
    with (context := Context(home)).database() as database:
        database.add_endpoint(ENDPOINT, "pc-1", 1.0)
    for name, text in (("office.toml", PROFILE), ("agent.toml", TEMPLATE), ("office.msi", "payload")):
        (tmp_path / name).write_text(text)
    return context


def publish(context: Context, keys: OfflineKeys, folder: Path) -> Any:
    recipe = Recipe(patch_id="office", version="1", payload=(PayloadFile("office.msi"),))
    return operations.publish(context, ADA, Publication(recipe, folder), keys)


def forget_unseen(context: Context, *_: Any) -> Any:
    with context.database() as database:
        database.add_endpoint("q" * 26, "gone", 1.0)
    return endpoint_operations.forget_unseen(context, ADA, EndpointsQuestion(not_seen_days=1))


ALL: dict[str, tuple[Run, str]] = {
    "publish": (publish, "patch published"),
    "withdraw": (lambda context, *_: operations.withdraw(context, ADA, "office", "crashes"), "patch withdrawn"),
    "offer": (lambda context, *_: operations.offer(context, ADA, "office@1"), "patch offered again"),
    "renew": (lambda context, keys, _: operations.renew(context, ADA, keys), "offline metadata signed anew"),
    "make_token": (lambda context, *_: operations.make_token(context, ADA, uses=1, seconds=60), "token made"),
    "revoke_token": (
        lambda context, *_: operations.revoke_token(
            context, ADA, operations.make_token(context, ADA, uses=1, seconds=60).token_id
        ),
        "token revoked",
    ),
    "deny": (lambda context, *_: endpoint_operations.deny(context, ADA, ENDPOINT), "endpoint denied"),
    "allow": (lambda context, *_: endpoint_operations.allow(context, ADA, ENDPOINT), "endpoint allowed"),
    "forget_endpoint": (
        lambda context, *_: endpoint_operations.forget_endpoint(context, ADA, "PC-1"),
        "endpoint forgotten",
    ),
    "forget_unseen": (forget_unseen, "endpoint forgotten"),
    "set_profile": (
        lambda context, keys, folder: operations.set_profile(context, ADA, "oslo", folder / "office.toml", keys),
        "profile set",
    ),
    "clear_profile": (lambda context, keys, _: operations.clear_profile(context, ADA, "oslo", keys), "profile cleared"),
    "set_template": (
        lambda context, keys, folder: operations.set_template(context, ADA, "december", folder / "agent.toml", keys),
        "template set",
    ),
    "remove_template": (
        lambda context, keys, _: operations.remove_template(context, ADA, "december", keys),
        "template removed",
    ),
}


def public_operations() -> dict[str, Callable[..., object]]:
    return {
        name: function
        for module in (operations, endpoint_operations)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_every_operation_takes_a_context_and_an_actor() -> None:
    for name, function in public_operations().items():
        first, second, *_ = inspect.signature(function).parameters.values()
        assert (first.annotation, second.annotation) == (Context, Actor), name


def test_the_log_says_who_did_it(context: Context, tmp_path: Path) -> None:
    assert set(ALL) == set(public_operations())
    keys = OfflineKeys(context.home.offline_keys)
    for name, (run, event) in ALL.items():
        with capture_logs([structlog.contextvars.merge_contextvars]) as logged:
            run(context, keys, tmp_path)
        (line,) = [entry for entry in logged if entry["event"] == event]
        assert line["actor"] == "ada (local user)", name
    assert structlog.contextvars.get_contextvars() == {}


def test_the_stop_button_says_that_it_worked_where_a_manifest_is_damaged(context: Context, tmp_path: Path) -> None:
    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    (manifest,) = (context.home.tuf_targets / "patches").glob("*.manifest")
    manifest.write_bytes(b"damaged")
    with capture_logs() as logged:
        withdrawn = operations.withdraw(context, ADA, "office", "crashes")
    assert (withdrawn.patches, withdrawn.dependents) == ((PatchRef("office", "1"),), ())
    (warning,) = [line for line in logged if line["log_level"] == "warning"]
    assert "which patches require it is not known" in warning["event"]
    assert ".manifest" in warning["reason"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"uses": 0}, "enrols 1 to 100000 PCs, not 0"),
        ({"uses": operations.MAX_TOKEN_USES + 1}, "not 100001"),
        ({"seconds": 0}, "from 1 s to 30 days, not 0 s"),
        ({"seconds": LONGEST_SECONDS + 1}, "not 2592001 s"),
        ({"tags": ("Kiosk",)}, "no tags"),
        ({"tags": tuple(f"t{number}" for number in range(21))}, "no tags"),
    ],
)
def test_a_token_has_bounds_whoever_asks_for_it(context: Context, wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(UserError, match=words) as caught:
        operations.make_token(context, ADA, **({"uses": 1, "seconds": 60} | wrong))
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_a_token_is_accepted_at_its_bounds(context: Context) -> None:
    tags = tuple(f"t{number:02}" for number in range(20))
    fixed = Context(context.home, clock=FakeClock(1_000.0))
    made = operations.make_token(fixed, ADA, uses=operations.MAX_TOKEN_USES, seconds=LONGEST_SECONDS, tags=tags)
    assert made.expires_at == 1_000.0 + LONGEST_SECONDS
    with context.database() as database:
        assert database.spend_token(made.token.secret, made.expires_at - 1) == "accepted"
        assert database.token_tags(made.token.secret) == made.tags == tags


def test_an_unknown_token_cannot_be_revoked(context: Context) -> None:
    with pytest.raises(UserError, match="There is no token") as caught:
        operations.revoke_token(context, ADA, "0" * 12)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_who_is_limited_by_tags_gives_pcs_no_others(context: Context) -> None:
    """A PC with one more is in rings and in others' hands that the limit keeps from them."""
    rights = rights_of(frozenset({"operator"}), PersonScope(tags=frozenset({"kiosk", "hall"})))
    actor = Actor("ola", "password", rights)
    assert operations.make_token(context, actor, uses=1, seconds=60, tags=("kiosk", "hall")).tags == ("kiosk", "hall")
    for tags in ((), ("kiosk", "test"), ("test",)):
        with pytest.raises(UserError, match="for tag hall, tag kiosk alone, and this reaches further"):
            operations.make_token(context, actor, uses=1, seconds=60, tags=tags)
