"""`seed_server.signing.log_checkpoint`: which checkpoint of the audit log is signed for PCs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.log_anchor import decode_anchor
from p2pdist.shared.manifest.staged import NOTHING_STAGED
from seed_server.fleet import endpoint_operations, operations
from seed_server.fleet.context import Context
from seed_server.settings.home import ServerHome
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.log_checkpoint import UNTOLD_SECONDS, tell_newest, witnessed
from tests.unit.p2pdist.trust.test_witness import FIVE, OTHER_KEY, ServersLog, anchored
from tests.unit.seed_server.fleet.test_operations import ADA, ENDPOINT, context, publish

__all__ = ["context"]

OLDER, NEWER = ServersLog(*FIVE[:3]).note(), ServersLog(*FIVE).note()


@pytest.mark.parametrize(
    ("signed", "found", "goes"),
    [
        (b"", NEWER, NEWER),
        (OLDER, NEWER, NEWER),
        (NEWER, OLDER, NEWER),
        (NEWER, NEWER, NEWER),
        (b"", None, b""),
        (OLDER, None, OLDER),
        (b"", b"damaged", b""),
        (OLDER, b"damaged", OLDER),
        (OLDER, b"x" * 9_000, OLDER),
    ],
)
def test_the_newest_that_can_be_read_is_signed(tmp_path: Path, signed: bytes, found: bytes | None, goes: bytes) -> None:
    home = ServerHome(tmp_path)
    if found is not None:
        home.audit_checkpoint.write_bytes(found)
    assert witnessed(NOTHING_STAGED, signed, home).checkpoint == goes


OTHER = ServersLog(*FIVE[:4], key=OTHER_KEY)


@pytest.mark.parametrize(
    ("signed", "found", "anchor", "goes"),
    [
        (OLDER, OTHER.note(), None, OLDER),  # another key, of which the offline role says nothing
        (OLDER, OTHER.note(), OTHER, OTHER.note()),
        (OLDER, NEWER, OTHER, OTHER.note()),  # the key from before
        (OLDER, None, OTHER, OTHER.note()),
        (NEWER, OTHER.note(), OTHER, OTHER.note()),  # after a restore
        (OTHER.note(), NEWER, OTHER, OTHER.note()),
        (b"", NEWER, OTHER, OTHER.note()),
    ],
)
def test_only_what_the_known_key_has_signed_is_told(
    tmp_path: Path, signed: bytes, found: bytes | None, anchor: ServersLog | None, goes: bytes
) -> None:
    home = ServerHome(tmp_path)
    if found is not None:
        home.audit_checkpoint.write_bytes(found)
    said = None if anchor is None else decode_anchor(anchored(anchor))
    assert witnessed(NOTHING_STAGED, signed, home, said).checkpoint == goes


def test_it_goes_with_whatever_changes_the_rollouts(context: Context, tmp_path: Path) -> None:
    def signed() -> int:
        return read_checkpoint(context.repository().current_staged().checkpoint).size

    publish(context, OfflineKeys(context.home.offline_keys), tmp_path)
    assert context.repository().current_staged().checkpoint == b"", "the log was empty before the first entry"
    steps: tuple[Callable[[], object], ...] = (
        lambda: operations.withdraw(context, ADA, "office", "crashes"),
        lambda: operations.offer(context, ADA, "office"),
    )
    for size, step in enumerate(steps, 1):
        step()
        assert signed() == size
    endpoint_operations.deny(context, ADA, ENDPOINT)
    repository = context.repository()
    repository.stage(NOTHING_STAGED, now=context.clock.now())
    assert signed() == 4
    version = repository.timestamp_version()
    repository.stage(repository.current_staged(), now=context.clock.now())
    assert (signed(), repository.timestamp_version() > version) == (4, True)


def test_it_goes_after_a_day_in_which_no_rollout_changed(context: Context) -> None:
    now, life = context.clock.now(), context.settings().rollouts_lifetime_days * 86_400.0

    def told(later: float) -> bool:
        nonlocal now
        now += later
        return tell_newest(context.repository(), context.home, rollouts_life=life, now=now)

    context.repository().stage(NOTHING_STAGED, now=now)
    assert not told(3 * UNTOLD_SECONDS), "there is no log yet"
    endpoint_operations.deny(context, ADA, ENDPOINT)
    version = context.repository().timestamp_version()
    assert told(0.0)
    assert read_checkpoint(context.repository().current_staged().checkpoint).size == 1
    assert context.repository().timestamp_version() > version
    endpoint_operations.allow(context, ADA, ENDPOINT)
    assert not told(UNTOLD_SECONDS - 10)
    assert told(20.0)
    assert not told(3 * UNTOLD_SECONDS), "PCs know it"
