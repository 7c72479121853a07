"""`seed_server.fleet.approvals_in_force`: who could approve once, and may not now, counts no more."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan, plan_digest
from p2pdist.shared.manifest.staged import MAX_APPROVALS, approval_bytes
from seed_server.fleet.approvals_in_force import ApproversInForce, ApprovingAccount
from seed_server.fleet.roles import NO_RIGHTS, PersonScope, Role, rights_of
from seed_server.store.rollout_records import ApprovalRow

NAMES = [f"ann{number}" for number in range(MAX_APPROVALS + 3)]
KEYS = {name: Ed25519PrivateKey.generate() for name in (*NAMES, "other")}
PLAN = RolloutPlan(
    format=1, patch_id="acme", version="2", number=2, manifest_sha256="0" * 64, salt=bytes(16),
    rings=(PlannedRing("oslo", who='site == "oslo"'), PlannedRing("kiosks", who='"kiosk" in tags')),
    silent_after_seconds=0,
)  # fmt: skip


def signed(name: str, rings: int = 2, *, key: str = "", who: str = "") -> ApprovalRow:
    signature = KEYS[key or name].sign(approval_bytes(plan_digest(PLAN), rings, 5))
    return ApprovalRow(name, who or f"local:{name}", name, rings, 5.0, signature)


def listed(*names: str, **keys: str) -> Approvers:
    known = {name: name for name in names} | keys
    public = {name: KEYS[key].public_key().public_bytes_raw() for name, key in known.items()}
    return Approvers(format=1, keys=public, required=1, required_in_emergency=1, since=0)


def account(*roles: Role, made: float = 0.0, **scope: frozenset[str]) -> ApprovingAccount:
    return ApprovingAccount(rights_of(frozenset(roles), PersonScope(**scope)), made)


def test_a_key_counts_as_long_as_it_is_in_the_list() -> None:
    rows = [signed("ann0"), signed("ann1", 1)]
    assert ApproversInForce({}, listed("ann0", "ann1")).approved(PLAN, rows, 1, by_pcs=2).rings == (1, 2)
    assert ApproversInForce({}, listed("ann1")).approved(PLAN, rows, 1, by_pcs=2).rings == (1,)
    changed = ApproversInForce({}, listed("ann1", ann0="other"))
    assert changed.approved(PLAN, rows, 1, by_pcs=2).rings == (1,)
    assert ApproversInForce({}, None).signed(PLAN, rows) == ()


def test_one_key_under_two_names_counts_once_and_for_most_rings() -> None:
    rows = [signed("ann1", key="ann0"), signed("ann0", 1)]
    (one,) = ApproversInForce({}, listed("ann0", ann1="ann0")).signed(PLAN, rows)
    assert one.rings == 2


def test_what_counts_no_more_takes_nobody_s_place_of_those_that_pcs_read() -> None:
    rows = [signed(name) for name in NAMES]
    assert len(ApproversInForce({}, listed(*NAMES)).signed(PLAN, rows)) == MAX_APPROVALS
    in_force = ApproversInForce({}, listed(NAMES[0]))
    assert [one.approver for one in in_force.signed(PLAN, rows)] == [NAMES[0]]
    most = ApproversInForce({}, listed(*NAMES)).signed(PLAN, [signed(name, 1) for name in NAMES[1:]] + [signed("ann0")])
    assert (len(most), most[-1].approver) == (MAX_APPROVALS, "ann0")


def test_an_account_counts_as_long_as_it_may_approve_all_that_the_plan_reaches() -> None:
    row = replace(signed("ann0"), who="ann0", approver="", signature=b"")

    def counts(known: ApprovingAccount | None) -> bool:
        accounts = {} if known is None else {"ann0": known}
        return ApproversInForce(accounts).approved(PLAN, [row], 1).count(2) == 1

    assert counts(account("approver"))
    assert counts(account("approver", sites=frozenset({"oslo"}), tags=frozenset({"kiosk"})))
    assert not counts(account("approver", sites=frozenset({"oslo"})))
    assert not counts(account("operator"))
    assert not counts(ApprovingAccount(NO_RIGHTS))  # disabled
    assert not counts(None)  # removed
    assert not counts(account("approver", made=60.0))  # another one of that name


def test_pcs_and_server_count_the_same_also_of_accounts() -> None:
    rows = [signed("ann0", who="ann0"), signed("ann1")]
    disabled = ApproversInForce({"ann0": ApprovingAccount(NO_RIGHTS)}, listed("ann0", "ann1"))
    assert [one.approver for one in disabled.signed(PLAN, rows)] == ["ann1"]
    assert disabled.approved(PLAN, rows, 1, by_pcs=1).rings == (2,)


def test_the_machines_administrator_needs_no_account() -> None:
    assert ApproversInForce().approved(PLAN, [signed("ann0")], 1).count(2) == 1
    token = replace(signed("ann0"), who="ann0/5f0c")
    assert ApproversInForce({"ann0": account("approver")}).approved(PLAN, [token], 1).count(2) == 1
