"""`seed_server.signing.bundle`: one file, the same bytes for the same content, and nothing beyond its caps."""

from pathlib import Path

import msgspec
import pytest

from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.wire import codec
from seed_server.signing.bundle import (
    MAX_BUNDLED_ROOTS,
    MAX_BUNDLED_SIGNATURES,
    MAX_PURPOSE_CHARS,
    Bundle,
    RoleSignature,
    encode_bundle,
    read_bundle,
    write_bundle,
)

BUNDLE = Bundle(
    format=1,
    server="hq",
    purpose="publish office 1.0",
    prepared_by="ann (local user)",
    prepared_at=1_900_000_000,
    roots=(b"root",),
    current={"targets": b"t", "patches": b"p"},
    proposed={"patches": b"q"},
    documents={"patches/office@1.0.manifest": b"m"},
)


def signature(number: int) -> RoleSignature:
    return RoleSignature("patches", f"{number:064x}", f"{number:0128x}")


def test_it_comes_back_and_equal_content_has_equal_bytes(tmp_path: Path) -> None:
    one = BUNDLE.with_signatures((signature(2), signature(1)))
    other = BUNDLE.with_signatures((signature(1),)).with_signatures((signature(2),))
    write_bundle(tmp_path / "b", one)
    assert read_bundle(tmp_path / "b") == one
    assert (tmp_path / "b").read_bytes() == encode_bundle(other)


def test_its_id_is_of_all_but_the_signatures() -> None:
    assert BUNDLE.with_signatures((signature(1),)).bundle_id == BUNDLE.bundle_id
    others = [
        msgspec.structs.replace(BUNDLE, **{name: value})
        for name, value in {
            "server": "x", "purpose": "x", "prepared_by": "x", "prepared_at": 1, "roots": (b"x",),
            "current": {"targets": b"x"}, "proposed": {"patches": b"x"}, "documents": {},
        }.items()
    ]  # fmt: skip
    assert len({bundle.bundle_id for bundle in (BUNDLE, *others)}) == len(others) + 1


def test_a_key_signs_a_role_once() -> None:
    again = RoleSignature("patches", signature(1).keyid, "f" * 128)
    assert BUNDLE.with_signatures((signature(1),)).with_signatures((again,)).signatures == (again,)


@pytest.mark.parametrize(
    ("field", "good", "bad"),
    [
        ("purpose", "x" * MAX_PURPOSE_CHARS, "x" * (MAX_PURPOSE_CHARS + 1)),
        ("roots", (b"r",) * MAX_BUNDLED_ROOTS, (b"r",) * (MAX_BUNDLED_ROOTS + 1)),
        ("roots", (b"r",), ()),
        ("proposed", {"root": b"r"}, {}),
        ("proposed", {"root": b"r"}, {"snapshot": b"s"}),
        (
            "signatures",
            tuple(map(signature, range(MAX_BUNDLED_SIGNATURES))),
            tuple(map(signature, range(MAX_BUNDLED_SIGNATURES + 1))),
        ),
        ("signatures", (), (RoleSignature("patches", "../../etc", "0" * 128),)),
        ("prepared_at", 0, -1),
    ],
)
def test_caps_at_the_limit_and_over_it(tmp_path: Path, field: str, good: object, bad: object) -> None:
    path = tmp_path / "b"
    path.write_bytes(codec.encode(msgspec.structs.replace(BUNDLE, **{field: good})))
    assert getattr(read_bundle(path), field) == good
    path.write_bytes(codec.encode(msgspec.structs.replace(BUNDLE, **{field: bad})))
    with pytest.raises(UserError, match="is no bundle of this release") as caught:
        read_bundle(path)
    assert caught.value.kind is FaultKind.BAD_INPUT


def test_one_that_is_too_large_is_not_written(tmp_path: Path) -> None:
    size = len(encode_bundle(BUNDLE))
    assert encode_bundle(BUNDLE, max_bytes=size)
    with pytest.raises(UserError, match="Publish fewer or smaller files") as caught:
        encode_bundle(BUNDLE, max_bytes=size - 1)
    assert caught.value.kind is FaultKind.REFUSED


def test_files_that_cannot_be_read_or_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="Cannot read the bundle") as caught:
        read_bundle(tmp_path / "none")
    assert caught.value.kind is FaultKind.BAD_INPUT
    with pytest.raises(UserError, match="Cannot write the bundle") as caught:
        write_bundle(tmp_path / "none" / "b", BUNDLE)
    assert caught.value.kind is FaultKind.STORAGE
