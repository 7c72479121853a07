"""Whatever is published, withdrawn, rolled out and prepared, no file goes that somebody may need."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from p2pdist.shared.errors import UserError
from p2pdist.shared.identifiers import PatchId, PatchRef
from p2pdist.shared.manifest.documents import Manifest, Payload, Rollouts
from p2pdist.shared.manifest.publication_order import NOTHING_PUBLISHED
from seed_server.publishing.content_needs import idle, uses_of_content
from seed_server.publishing.content_plan import ContentRules, plan_content
from seed_server.publishing.publish import rows_of
from seed_server.signing import offers, publications
from seed_server.store.rows import StoredPayload

DAY = 86_400.0
IDS, FILES = ("office", "driver", "viewer"), ("1", "2", "3", "4", "5")
QUOTAS = (0, 1, 150, 250, 10_000)


class Fleet(RuleBasedStateMachine):
    """A server's publications, without the server: the pure parts decide what real ones do."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.order, self.rollouts = NOTHING_PUBLISHED, Rollouts(format=1, entries=[])
        self.listed: list[Manifest] = []
        self.by_rings: dict[PatchRef, Manifest] = {}
        self.prepared: list[Manifest] = []
        self.fetched: set[PatchRef] = set()
        self.stored: dict[str, StoredPayload] = {}
        self.since: dict[str, float] = {}

    # --- what people do --------------------------------------------------------------------

    def manifest(self, patch_id: str, file: str) -> Manifest:
        digest = file * 64
        payload = Payload(
            file_name="f", length_bytes=100, sha256=digest, torrent_hash=digest, platform="", arch="", language=""
        )
        self.stored[digest] = StoredPayload(digest, 100, self.now)
        self.since.pop(digest, None)
        number = self.order.next_number(PatchId(patch_id))
        return Manifest(
            format=1, patch_id=patch_id, version=str(number), title="", severity="low", cvss=None, payloads=[payload],
            published_at=int(self.now), number=number,
        )  # fmt: skip

    def list_it(self, new: Manifest, *, lowest: int) -> None:
        self.order = publications.order_after(self.order, new, lowest)
        offered = {entry.ref for entry in self.rollouts.entries}
        self.listed = publications.kept([*self.listed, new], offered | set(self.by_rings))

    @rule(patch_id=st.sampled_from(IDS), file=st.sampled_from(FILES))
    def publish(self, patch_id: str, file: str) -> None:
        new = self.manifest(patch_id, file)
        self.rollouts = offers.with_entry(self.rollouts, new.ref)
        self.list_it(new, lowest=new.number)

    @rule(patch_id=st.sampled_from(IDS), file=st.sampled_from(FILES))
    def publish_by_rings(self, patch_id: str, file: str) -> None:
        new = self.manifest(patch_id, file)
        offered = {entry.ref for entry in self.rollouts.entries}
        lowest = publications.lowest_by_rings(self.order, new, self.listed, offered)
        self.by_rings[new.ref] = new
        self.list_it(new, lowest=lowest)

    @precondition(lambda self: self.by_rings)
    @rule(data=st.data(), complete=st.booleans())
    def end_rollout(self, data: st.DataObject, *, complete: bool) -> None:
        ref = data.draw(st.sampled_from(sorted(self.by_rings)))
        del self.by_rings[ref]
        if complete:
            self.rollouts = offers.with_entry(self.rollouts, ref)

    @rule(patch_id=st.sampled_from(IDS), for_good=st.booleans())
    def withdraw(self, patch_id: str, *, for_good: bool) -> None:
        self.rollouts = offers.without_entries(self.rollouts, PatchRef(patch_id, ""), "bad", self.now)
        if for_good:
            self.order = self.order.without(patch_id)
            self.by_rings = {ref: one for ref, one in self.by_rings.items() if ref.patch_id != patch_id}

    @rule(patch_id=st.sampled_from(IDS))
    def offer_again(self, patch_id: str) -> None:
        try:
            self.rollouts = offers.offered_again(self.rollouts, PatchRef(patch_id, ""), self.order, self.listed)
        except UserError:
            return

    @rule(patch_id=st.sampled_from(IDS), file=st.sampled_from(FILES))
    def prepare(self, patch_id: str, file: str) -> None:
        self.prepared.append(self.manifest(patch_id, file))

    @precondition(lambda self: self.prepared)
    @rule()
    def drop(self) -> None:
        self.prepared.pop()

    @precondition(lambda self: self.listed)
    @rule(data=st.data())
    def a_pc_fetches(self, data: st.DataObject) -> None:
        self.fetched ^= {data.draw(st.sampled_from(self.listed)).ref}

    @rule(days=st.sampled_from((0, 1, 20, 40)))
    def wait(self, days: int) -> None:
        self.now += days * DAY

    # --- what the server does --------------------------------------------------------------

    @rule(quota=st.sampled_from(QUOTAS), days=st.sampled_from((None, 1, 30)), held=st.booleans(), at_once=st.booleans())
    def clean(self, quota: int, days: int | None, *, held: bool, at_once: bool) -> None:
        uses = uses_of_content(
            offers.offers(self.rollouts, self.order, self.listed),
            offered={entry.ref for entry in self.rollouts.entries},
            order=self.order,
            rollouts=[row for one in self.by_rings.values() for row in rows_of(one, 1)],
            prepared=self.prepared,
            fetched=self.fetched,
        )
        self.since = {sha256: self.since.get(sha256, self.now) for sha256 in idle(uses)}
        rules = ContentRules(None if days is None else days * DAY, quota, held, at_once)
        before = sum(one.bytes for one in self.stored.values())
        plan = plan_content(self.stored.values(), uses, self.since, rules, self.now)
        assert plan.left_bytes == before - plan.bytes
        assert len({one.payload.sha256 for one in plan.removals}) == len(plan.removals)
        fetched = {one.payloads[0].sha256 for one in self.listed if one.ref in self.fetched}
        assert fetched.isdisjoint(one.payload.sha256 for one in plan.removals)
        if held:
            assert not plan.removals
        for one in plan.removals:
            since = self.since.get(one.payload.sha256, self.now)
            if one.because == "retention":
                assert days is not None
                assert self.now - since >= days * DAY
            del self.stored[one.payload.sha256]
        if quota and plan.over_bytes and not held:
            listed = {sha256 for sha256, found in uses.items() if any(use.needed for use in found)}
            young = {sha256 for sha256 in self.stored if sha256 not in uses}
            assert self.stored.keys() <= listed | young, "there is no room, and something is kept that nobody needs"

    # --- what must hold --------------------------------------------------------------------

    @invariant()
    def whatever_a_pc_may_be_sent_is_here(self) -> None:
        by_ref = {one.ref: one for one in self.listed}
        for entry in self.rollouts.entries:
            self.is_here(by_ref[entry.ref])
        for one in (*self.by_rings.values(), *self.prepared):
            self.is_here(one)

    @invariant()
    def whatever_may_be_offered_again_is_here(self) -> None:
        for one in self.listed:
            if not self.order.refusal(one.patch_id, one.number):  # `rollout start` takes it
                self.is_here(one)
        for patch_id in IDS:
            try:
                after = offers.offered_again(self.rollouts, PatchRef(patch_id, ""), self.order, self.listed)
            except UserError:
                continue
            by_ref = {one.ref: one for one in self.listed}
            for entry in after.entries:
                self.is_here(by_ref[entry.ref])

    def is_here(self, manifest: Manifest) -> None:
        for payload in manifest.payloads:
            assert payload.sha256 in self.stored, f"{manifest.ref} is needed, and its file has gone"


def test_no_file_goes_that_somebody_may_need() -> None:
    steps = settings(max_examples=200, stateful_step_count=40, deadline=None)
    run_state_machine_as_test(Fleet, settings=steps)
