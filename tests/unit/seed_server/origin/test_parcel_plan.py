"""`seed_server.origin.parcel_plan`: what is parcelled with what."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from p2pdist.shared.wire.parcel import LEAST_PARCELLED, MAX_PARCEL_BYTES, MAX_PARCELLED, MAX_PARCELLED_BYTES
from seed_server.origin.parcel_plan import cut, is_parcel, is_small
from seed_server.store.rows import ServedPayload

PATCH = ServedPayload(
    patch_id="office", version="1.0", title="", severity="low", cvss=None, file_name="a.bin", sha256="a" * 64,
    length_bytes=1, torrent_hash="b" * 64, piece_length_bytes=1 << 14, piece_count=1, sequence=1, published_at=0.0,
)  # fmt: skip


def payload(sequence: int, length_bytes: int = 1, severity: str = "low") -> ServedPayload:
    return replace(
        PATCH,
        sequence=sequence,
        length_bytes=length_bytes,
        severity=severity,
        torrent_hash=f"{sequence:08x}{0:056x}",
    )


def sequences(parcels: Iterable[tuple[ServedPayload, ...]]) -> list[list[int]]:
    return [[member.sequence for member in parcel] for parcel in parcels]


def test_only_small_payloads_of_patches_that_can_be_served_are_parcelled() -> None:
    assert is_small(payload(1, MAX_PARCELLED_BYTES))
    assert not is_small(payload(1, MAX_PARCELLED_BYTES + 1))
    assert not is_small(replace(payload(1), damaged="gone"))
    assert not is_small(replace(payload(1), emergency=True)), "it waits for no others"
    assert not is_small(replace(payload(1), patch_id="")), "news, and parcels"


def test_in_the_order_of_publication_whatever_order_they_come_in() -> None:
    assert sequences(cut(map(payload, (3, 1, 4, 2)))) == [[1, 2, 3, 4]]


def test_what_is_urgent_is_in_no_parcel_with_what_is_not() -> None:
    mixed = [payload(n, severity="critical" if n % 2 else "low") for n in range(10)]
    assert sequences(cut(mixed)) == [[1, 3, 5, 7, 9], [0, 2, 4, 6, 8]]


def test_too_few_are_in_none() -> None:
    assert sequences(cut(payload(n) for n in range(LEAST_PARCELLED - 1))) == []


def test_what_cut_never_makes_is_no_parcel() -> None:
    four = [payload(n) for n in range(4)]
    assert is_parcel(four)
    assert not is_parcel(four[:3])
    assert not is_parcel([*four, four[0]])
    assert not is_parcel([*four, payload(5, severity="critical")])
    assert not is_parcel([payload(n) for n in range(MAX_PARCELLED + 1)])
    assert not is_parcel([payload(n, MAX_PARCEL_BYTES // 4 + 1) for n in range(4)])


@given(st.lists(st.integers(1, MAX_PARCELLED_BYTES), max_size=3 * MAX_PARCELLED))
def test_no_parcel_is_over_its_caps_and_all_but_a_few_are_in_one(lengths: list[int]) -> None:
    payloads = [payload(n, length) for n, length in enumerate(lengths)]
    parcels = list(cut(payloads))
    for parcel in parcels:
        assert LEAST_PARCELLED <= len(parcel) <= MAX_PARCELLED
        assert sum(member.length_bytes for member in parcel) <= MAX_PARCEL_BYTES
        assert is_parcel(parcel)
    parcelled = [member for parcel in parcels for member in parcel]
    assert parcelled == payloads[: len(parcelled)]
    assert len(payloads) - len(parcelled) < LEAST_PARCELLED
