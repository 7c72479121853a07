"""`p2pdist.trust.catalogue`: whose bytes belong on this PC."""

import math
from dataclasses import replace

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import RolloutEntry
from p2pdist.trust.catalogue import Catalogue, NotApplicable, NotYet
from p2pdist.trust.ring_rules import RingReason, RingWait
from tests.helpers.patch_views import manifest, payload, transfer

NOTHING = Catalogue(1, (), (), "")
WAIT = RingWait(RingReason.HELD, "", 200.0)


def test_what_is_wanted_goes_before_what_is_only_shared_and_the_rest_is_not_fetched() -> None:
    wanted, other, waiting = (transfer(n, PatchRef(name, "1")).patch for n, name in enumerate("abc"))
    same_bytes = NotApplicable(RolloutEntry("d", "1", 4), manifest(PatchRef("d", "1"), payload()), "no", shared=wanted)
    skipped = NotApplicable(other.entry, other.manifest, "no", shared=other)
    later = NotYet(waiting.entry, waiting.manifest, WAIT, shared=waiting)
    catalogue = replace(
        NOTHING, patches=(wanted,), not_applicable=(same_bytes, skipped), not_yet=(later, replace(later, shared=None))
    )
    assert list(catalogue.wanted().values()) == [(wanted,), (other,), (waiting,)]
    assert len(catalogue.skipped) == 4


def test_it_says_when_time_alone_changes_it() -> None:
    made = manifest(PatchRef("a", "1"), payload())
    waits = [NotYet(RolloutEntry("a", "1", 1), made, replace(WAIT, until=until)) for until in (300.0, None, 200.0)]
    assert replace(NOTHING, not_yet=tuple(waits)).changes_at == 200.0
    assert NOTHING.changes_at == math.inf
