"""`seed_server.origin.change_notices`: a publication is told within seconds, a renewed timestamp in its own time."""

import itertools

import pytest

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.features import TIMESTAMP
from p2pdist.shared.wire.fields import MAX_TOLD_TIMESTAMP_BYTES
from p2pdist.shared.wire.messages import RepositoryChanged
from seed_server.origin.change_notices import RENEWAL_SPREAD, ChangeNotices
from seed_server.origin.notices import AT_ONCE, SPREAD_SECONDS
from seed_server.signing.metadata import NewestTimestamp

DAY = 86_400.0
RENEWED = NewestTimestamp(data=b"{}", version=8, issued_at=0.0, life_seconds=DAY, root=3, snapshot=5)
EVERYBODY = [EndpointId(f"pc{n:024d}") for n in range(1_000)]


def test_a_publication_reaches_everybody_within_seconds_and_carries_nothing() -> None:
    changes = ChangeNotices()
    changes.changed(7, None, EVERYBODY, 100.0)
    assert len(changes.due(100.0)) == AT_ONCE
    assert len(changes.due(100.0 + SPREAD_SECONDS)) == len(EVERYBODY) - AT_ONCE
    assert changes.message((TIMESTAMP,)) == changes.message(()) == RepositoryChanged(timestamp_version=7)


def test_a_renewed_timestamp_is_told_to_each_once_and_evenly_in_a_part_of_its_life() -> None:
    sites = [ChangeNotices() for _ in EVERYBODY]  # each of one PC: they are spread no less
    for changes, endpoint in zip(sites, EVERYBODY, strict=True):
        changes.changed(8, RENEWED, [endpoint], 100.0)
    part = DAY * RENEWAL_SPREAD / 10
    told = [[one for changes in sites for one in changes.due(100.0 + n * part)] for n in range(1, 11)]
    assert sorted(itertools.chain(*told)) == sorted(EVERYBODY)
    assert max(map(len, told)) <= 2 * len(EVERYBODY) / 10
    assert not [one for changes in sites for one in changes.due(1e9)]


def test_only_who_has_the_feature_gets_the_timestamp_itself() -> None:
    changes = ChangeNotices()
    changes.changed(8, RENEWED, EVERYBODY, 0.0)
    assert changes.message(()) == RepositoryChanged(timestamp_version=8)
    assert changes.message((TIMESTAMP,)) == RepositoryChanged(timestamp_version=8, timestamp=b"{}", root_version=3)


@pytest.mark.parametrize(
    ("size_bytes", "fits"), [(MAX_TOLD_TIMESTAMP_BYTES, True), (MAX_TOLD_TIMESTAMP_BYTES + 1, False)]
)
def test_one_that_is_too_large_to_be_told_is_asked_for(size_bytes: int, fits: bool) -> None:
    changes = ChangeNotices()
    changes.changed(8, NewestTimestamp(bytes(size_bytes), 8, 0.0, DAY, 3, 5), EVERYBODY, 0.0)
    assert bool(changes.message((TIMESTAMP,)).timestamp) is fits


def test_a_publication_waits_for_no_renewal_and_a_renewal_delays_no_publication() -> None:
    changes = ChangeNotices()
    changes.changed(8, RENEWED, EVERYBODY, 0.0)
    changes.changed(9, None, EVERYBODY, 1.0)
    assert len(changes.due(1.0)) == AT_ONCE
    changes.changed(10, RENEWED, EVERYBODY, 2.0)
    assert set(EVERYBODY) <= {*EVERYBODY[:AT_ONCE], *changes.due(1.0 + SPREAD_SECONDS)}
    assert changes.message(()).timestamp_version == 10, "who hears of the former late hears of the latter too"
