"""Whose approvals count now: of who may still approve, by keys that PCs still take. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from p2pdist.shared.manifest.approvals import signing_key
from p2pdist.shared.manifest.approvers import Approvers
from p2pdist.shared.manifest.expression import parse_expression
from p2pdist.shared.manifest.rollout_plan import RolloutPlan
from p2pdist.shared.manifest.staged import MAX_APPROVALS, Approval
from seed_server.fleet.actor import LOCAL_PREFIX
from seed_server.fleet.roles import Reach, Rights, reach_of
from seed_server.fleet.rollout import Approved
from seed_server.store.rollout_records import ApprovalRow


@dataclass(frozen=True)
class ApprovingAccount:
    """An account, as far as its approvals are concerned."""

    rights: Rights
    """What it may now; a disabled one may nothing."""
    created_at: float = 0.0
    """What was approved before was approved by another one of the same name."""


@dataclass(frozen=True)
class ApproversInForce:
    """Who may approve now. Local users always may: the machine's administrator says who these are."""

    accounts: Mapping[str, ApprovingAccount] = field(default_factory=dict)
    approvers: Approvers | None = None
    """Whose signatures PCs want; None: nobody's."""

    def counting(self, plan: RolloutPlan, approvals: Iterable[ApprovalRow]) -> list[ApprovalRow]:
        """Return those of who may approve still."""
        reach = plan_reach(plan)
        return [row for row in approvals if self._may(row, reach)]

    def signed(self, plan: RolloutPlan, approvals: Iterable[ApprovalRow]) -> tuple[Approval, ...]:
        """Return those that PCs count: one for each key, that for most rings; of too many, those for most rings."""
        if self.approvers is None:
            return ()
        by_key: dict[bytes, Approval] = {}
        for row in sorted(self.counting(plan, approvals), key=lambda row: row.rings):
            if not row.signature:
                continue
            approval = Approval(approver=row.approver, rings=row.rings, at=int(row.at), signature=row.signature)
            if (key := signing_key(plan, approval, self.approvers)) is not None:
                by_key[key] = approval
        return tuple(sorted(by_key.values(), key=lambda one: one.rings)[-MAX_APPROVALS:])

    def approved(
        self, plan: RolloutPlan, approvals: Iterable[ApprovalRow], required: int, *, by_pcs: int = 0
    ) -> Approved:
        """Return what people have said of a plan, whose rings need ``required`` of them where it says so.

        PCs themselves want ``by_pcs`` signed ones for every ring.
        """
        if by_pcs > 0:
            signed = self.signed(plan, approvals)
            return Approved(tuple(one.rings for one in signed), max(by_pcs, required), every_ring=True)
        return Approved(tuple(row.rings for row in self.counting(plan, approvals)), required)

    def _may(self, row: ApprovalRow, reach: Reach) -> bool:
        if row.who.startswith(LOCAL_PREFIX):
            return True
        account = self.accounts.get(row.person)
        if account is None or account.created_at > row.at + 1:  # an approval is in whole seconds
            return False
        return "approve" in account.rights.permissions and account.rights.scope.holds(reach)


NOBODY_IN_FORCE = ApproversInForce()


def plan_reach(plan: RolloutPlan) -> Reach:
    """Return which PCs a plan touches."""
    return tuple(
        area for ring in plan.rings for area in reach_of(parse_expression(ring.who) if ring.who else None)
    )  # fmt: skip
