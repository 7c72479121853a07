"""`seed_server.fleet.audit_key`: what the offline key is given to sign; `tests/adversary` shows what PCs make of it."""

import pytest

from p2pdist.shared.audit_checkpoint import read_checkpoint
from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet import audit_key, endpoint_operations
from seed_server.fleet.context import Context
from seed_server.fleet.queries import read_status
from seed_server.signing.key_files import OfflineKeys, key_path
from tests.unit.seed_server.fleet.test_operations import ADA, ENDPOINT, context

__all__ = ["context"]


def test_anchors_are_numbered_and_remember_earlier_keys_until_the_log_begins_again(context: Context) -> None:
    keys = OfflineKeys(context.home.offline_keys)
    endpoint_operations.allow(context, ADA, ENDPOINT)
    repository = context.repository(context.settling())
    repository.stage(repository.current_staged(), now=context.clock.now())
    first_key = read_checkpoint(context.home.audit_checkpoint.read_bytes()).key
    one = audit_key.new_audit_key(context, ADA, "stolen", keys)
    two = audit_key.new_audit_key(context, ADA, "stolen again", keys)
    again = audit_key.new_audit_key(context, ADA, "disk failed", keys, after_restore=True)
    four = audit_key.new_audit_key(context, ADA, "stolen", keys)
    assert [anchor.number for anchor in (one, two, again, four)] == [1, 2, 3, 4]
    assert (one.earlier, two.earlier) == ((first_key,), (one.known.key, first_key))
    assert (again.earlier, four.earlier) == ((), (again.known.key,))
    assert (two.beginning, four.beginning) == (None, again.beginning)
    assert again.beginning is not None
    assert (again.beginning.number, again.beginning.reason) == (3, "disk failed")
    assert context.repository().log_anchor() == four
    assert key_path(context.home.online_keys, "audit").stat().st_mode & 0o077 == 0


def test_without_the_offline_key_nothing_changes(context: Context) -> None:
    endpoint_operations.allow(context, ADA, ENDPOINT)
    path = key_path(context.home.online_keys, "audit")
    before = path.read_bytes()
    with pytest.raises(UserError) as caught:
        audit_key.new_audit_key(context, ADA, "stolen", OfflineKeys(context.home.root / "nowhere"))
    assert caught.value.kind is FaultKind.NOT_SET_UP
    assert path.read_bytes() == before
    assert read_status(context).problems == []


def test_what_is_interrupted_is_shown_and_done_again(context: Context, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = OfflineKeys(context.home.offline_keys)
    endpoint_operations.allow(context, ADA, ENDPOINT)
    repository = context.repository(context.settling())
    repository.stage(repository.current_staged(), now=context.clock.now())

    def killed(*_: object, **__: object) -> None:
        raise UserError("killed", FaultKind.STORAGE)

    with monkeypatch.context() as killing:
        killing.setattr("seed_server.signing.repository.Repository.anchor_log", killed)
        with pytest.raises(UserError, match="killed"):
            audit_key.new_audit_key(context, ADA, "stolen", keys)
    assert [one.mend for one in read_status(context).problems] == ["seed-server audit new-key"]
    audit_key.new_audit_key(context, ADA, "stolen", keys)
    assert read_status(context).problems == []
