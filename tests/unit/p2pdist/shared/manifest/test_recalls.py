"""`p2pdist.shared.manifest.recalls`."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.identifiers import endpoint_id_of_public_key
from p2pdist.shared.manifest.recalls import (
    MAX_RECALLS,
    MAX_RECALLS_BYTES,
    NOTHING_RECALLED,
    Recall,
    Recalls,
    decode_recalls,
    encode_recalls,
    with_recall,
)
from p2pdist.shared.manifest.ring_facts import ring_facts
from p2pdist.shared.manifest.rollout_plan import PlannedRing, RolloutPlan
from p2pdist.shared.wire.codec import DecodeError

PLAN = RolloutPlan(
    format=1, patch_id="acme", version="2", number=2, manifest_sha256="ab" * 32, salt=bytes(16), silent_after_seconds=0,
    rings=(PlannedRing("test", 'site == "lab"'), PlannedRing("few", share=3_000), PlannedRing("hq", 'site == "hq"')),
)  # fmt: skip
OF_FEW = Recall("acme", 2, "", "why", 5, since=2, plan=PLAN, ring=1)


def test_recalls_come_back_as_they_were_signed() -> None:
    recalls = Recalls(format=1, recalls=(Recall("acme", 3, 'site == "hq"', "it loses data", 5), OF_FEW))
    assert decode_recalls(encode_recalls(recalls)) == recalls


@pytest.mark.parametrize(
    "recall",
    [
        Recall("a b", 3, "", "why", 5),
        Recall("acme", 3, "site", "why", 5),
        Recall("acme", 3, "", "a\nb", 5),
        replace(OF_FEW, ring=3),
        replace(OF_FEW, plan=replace(PLAN, rings=(PlannedRing("all", "site"),))),
    ],
)
def test_what_cannot_be_obeyed_or_shown_is_refused(recall: Recall) -> None:
    with pytest.raises(DecodeError):
        decode_recalls(encode_recalls(Recalls(format=1, recalls=(recall,))))


def test_a_ring_and_those_after_it_go_back_and_who_is_in_none_does_not() -> None:
    names = [endpoint_id_of_public_key(number.to_bytes(4)) for number in range(200)]

    def going(site: str, recall: Recall = OF_FEW) -> int:
        return sum(recall.reaches(name, ring_facts({}, site=site, tags=())) for name in names)

    assert going("lab") == 0
    assert going("hq") == len(names)
    assert 30 < going("oslo") < 90
    assert going("oslo", replace(OF_FEW, ring=2)) == 0
    assert going("hq", replace(OF_FEW, who='site == "oslo"')) == 0


def test_the_oldest_are_forgotten_where_a_document_would_be_too_large() -> None:
    rings = tuple(PlannedRing(f"ring {number}", f'site == "{"s" * 1_900}"') for number in range(10))
    recalls = NOTHING_RECALLED
    for number in range(1, MAX_RECALLS + 2):
        plan = replace(PLAN, number=number, rings=rings)
        recalls = with_recall(recalls, Recall("acme", number, "", "why", 5, since=number, plan=plan))
    assert MAX_RECALLS_BYTES * 0.9 < len(encode_recalls(recalls)) <= MAX_RECALLS_BYTES
    assert recalls.recalls[-1].number == MAX_RECALLS + 1
