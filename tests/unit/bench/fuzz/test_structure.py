"""`bench.fuzz.structure`: documents are changed into documents, most of them."""

import msgpack
from hypothesis import given
from hypothesis import strategies as st

from bench.fuzz.structure import changed

CAP = 1_000


def unchanged(data: bytes, _max_bytes: int) -> bytes:
    return data


@given(st.binary(max_size=200), st.integers(0, 2**32 - 1))
def test_any_bytes_are_changed_within_the_cap(data: bytes, seed: int) -> None:
    assert len(changed(data, CAP, seed, unchanged)) <= CAP


def test_a_document_becomes_another_document() -> None:
    document = {"t": "want", "have": b"\x80", "list": [1, "two", None, {"deep": 1.5}]}
    packed = msgpack.packb(document)
    found = {changed(packed, CAP, seed, unchanged) for seed in range(200)} - {packed}
    assert len(found) > 50
    for data in found:
        msgpack.unpackb(data, strict_map_key=False)


def test_a_change_can_be_repeated() -> None:
    packed = msgpack.packb({"t": "want", "number": 1})
    assert all(changed(packed, CAP, seed, unchanged) == changed(packed, CAP, seed, unchanged) for seed in range(50))
