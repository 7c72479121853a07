"""The codec: exactly the declared shape, or `DecodeError`."""

from typing import Annotated, Any

import msgpack
import msgspec
import pytest

from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document, Extensible, Record


class Sample(Record, frozen=True):
    number: int
    data: bytes = b""
    items: Annotated[list[int], msgspec.Meta(max_length=2)] = msgspec.field(default_factory=list)


class Grown(Extensible, frozen=True):
    number: int
    added: int = 0


def decode(data: bytes, cap: int = 1_000) -> Sample:
    return codec.decode(data, Sample, max_bytes=cap)


def test_a_record_round_trips_with_bytes_as_bytes() -> None:
    sample = Sample(number=1, data=b"\x00\xff", items=[1, 2])
    assert decode(codec.encode(sample)) == sample


@pytest.mark.parametrize(
    "raw",
    [
        {"number": "1"},
        {"number": 1.0},
        {"number": True},
        {"number": None},
        {"number": 1, "extra": 2},
        {},
        [1],
        1,
        {"number": 1, "data": "text"},
        {"number": 1, "items": [1, 2, 3]},
        {1: 2},
        {b"number": 1},
    ],
)
def test_any_other_shape_is_refused(raw: object) -> None:
    with pytest.raises(DecodeError):
        decode(msgpack.packb(raw))


def test_what_releases_say_to_each_other_may_grow() -> None:
    assert codec.decode(codec.encode({"number": 1, "newer": {"x": [2]}}), Grown, max_bytes=100) == Grown(number=1)
    assert msgpack.unpackb(codec.encode(Grown(number=1))) == {"number": 1}
    assert msgpack.unpackb(codec.encode(Grown(number=1, added=2))) == {"number": 1, "added": 2}


@pytest.mark.parametrize(
    ("kind", "raw", "words"),
    [
        (Sample, {"number": 1, "items": ["x"]}, "Expected `int`, got `str` - at `$.items[0]`"),
        (Sample, [], "Expected `object`, got `array` - at `$`"),
        (Sample | None, {"number": "x"}, "Expected `int`, got `str` - at `$.number`"),
    ],
)
def test_the_words_name_the_place(kind: Any, raw: object, words: str) -> None:
    with pytest.raises(DecodeError) as caught:
        codec.decode(msgpack.packb(raw), kind, max_bytes=1_000)
    assert str(caught.value) == words


def test_what_a_message_may_be_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a union, msgspec would do that for each message, which takes several times as long as to decode one."""
    kinds: list[type] = []
    real = msgspec.convert

    def convert(value: object, kind: Any, **options: Any) -> object:
        kinds.append(kind)
        return real(value, kind, **options)

    monkeypatch.setattr(msgspec, "convert", convert)
    for _ in range(2):
        assert codec.decode(codec.encode(None), Sample | None, max_bytes=1_000) is None
    assert issubclass(kinds[0], msgspec.Struct)
    assert kinds[0] is kinds[1]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xc1",
        codec.encode(Sample(number=1)) + b"\x00",
        b"\xc7\x00\x05",
        b"\xd6\xff\x00\x00\x00\x00",
        b"\x81\xa6\xff\xfe\xfd\xfc\xfb\xfa\x01",
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 900,
    ],
)
def test_hostile_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data)


def test_the_cap_holds_to_the_byte() -> None:
    encoded = codec.encode(Sample(number=1, data=bytes(100)))
    assert decode(encoded, cap=len(encoded)).number == 1
    with pytest.raises(DecodeError, match="over the cap"):
        decode(encoded, cap=len(encoded) - 1)


def test_every_prefix_is_refused() -> None:
    encoded = codec.encode(Sample(number=70_000, data=b"abc", items=[1, 2]))
    for length in range(len(encoded)):
        with pytest.raises(DecodeError):
            decode(encoded[:length])


def test_records_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        Sample(number=1).number = 2  # type: ignore[misc]


class Entry(Document, frozen=True):
    name: str


class Signed(Document, frozen=True):
    entries: list[Entry]
    by_id: dict[str, Entry] = msgspec.field(default_factory=dict)


def test_a_document_ignores_what_it_does_not_know_and_names_it_when_asked() -> None:
    raw = {"entries": [{"name": "a"}, {"name": "b", "ring": 2}], "by_id": {"x": {"name": "c", "who": ["me"]}}, "new": 1}
    data = msgpack.packb(raw)
    signed: Signed = codec.decode(data, Signed, max_bytes=1_000)
    assert signed == Signed(entries=[Entry("a"), Entry("b")], by_id={"x": Entry("c")})
    assert codec.unknown_fields(data, signed) == ["by_id.x.who", "entries.ring", "new"]
    assert codec.unknown_fields(codec.encode(signed), signed) == []
    with pytest.raises(DecodeError, match="entries"):  # what is known is checked as ever
        codec.decode(msgpack.packb(raw | {"entries": [{"name": 1}]}), Signed, max_bytes=1_000)
