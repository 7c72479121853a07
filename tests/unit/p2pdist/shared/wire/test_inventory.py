import zlib

import pytest

from p2pdist.shared.manifest.facts import MAX_PACKAGES
from p2pdist.shared.manifest.inventory import Changes
from p2pdist.shared.manifest.versions import Ecosystem
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.inventory import MAX_CHANGES_BYTES, MAX_INVENTORY_FACTS, MAX_TOLD_BYTES, packed, unpacked

CHANGES = Changes(
    {"os.id": "debian", "os.build": 0, "on_mains": True, "tags": ("a", "b")},
    frozenset({"os.language"}),
    {(Ecosystem.DEB, "vim"): "2:9.0-1", (Ecosystem.RPM, "vim"): "9.0-1.el9"},
    frozenset({(Ecosystem.DEB, "emacs"), (Ecosystem.GENERIC, "x")}),
)


def test_what_is_packed_is_unpacked() -> None:
    for changes in (CHANGES, Changes()):
        assert unpacked(packed(changes)) == changes
    assert type(unpacked(packed(CHANGES)).facts["on_mains"]) is bool


def test_a_desktops_packages_fit_easily() -> None:
    packages = {(Ecosystem.DEB, f"lib-some-package-{n}"): f"{n % 90}.{n % 7}.{n % 13}-{n % 5}" for n in range(3_000)}
    assert len(packed(Changes(packages=packages))) < MAX_TOLD_BYTES / 20


def test_a_bomb_is_not_decompressed() -> None:
    bomb = zlib.compress(bytes(20 * MAX_CHANGES_BYTES))
    assert len(bomb) < MAX_TOLD_BYTES
    with pytest.raises(DecodeError, match="larger than it may be"):
        unpacked(bomb)


WHOLE = packed(CHANGES)


@pytest.mark.parametrize("data", [b"", b"x", WHOLE[:-1], WHOLE + b"x", zlib.compress(b""), zlib.compress(b"\xc1")])
def test_what_is_not_whole_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        unpacked(data)


@pytest.mark.parametrize(
    "told",
    [
        {"packages": {"deb": {"a b?": "1"}}},
        {"packages": {"deb": {"a": ""}}},
        {"packages": {"deb": {"a": "1\n"}}},
        {"packages": {"deb": {"a\n": "1"}}},
        {"packages": {"deb": {"a": "1" * 201}}},
        {"packages": {"deb": {"a": 1}}},
        {"packages": {"brew": {"a": "1"}}},
        {"packages": {"deb": {f"p{n}": "1" for n in range(MAX_PACKAGES)}, "rpm": {"a": "1"}}},
        {"packages_gone": {"deb": [f"p{n}" for n in range(MAX_PACKAGES + 1)]}},
        {"facts": {"A": 1}},
        {"facts": {"a": -1}},
        {"facts": {"a": 1.5}},
        {"facts": {"a": "x" * 256}},
        {"facts": {"a": "\x1b[2J"}},
        {"facts": {"a": ["x", "\u202e"]}},
        {"facts": {"a": None}},
        {"facts": {"x" * 33: 1}},
        {"facts": {"a" * n: 1 for n in range(1, 33)} | {"b" * n: 1 for n in range(1, 33)} | {"c": 1}},
        {"facts_gone": ["a"] * (MAX_INVENTORY_FACTS + 1)},
    ],
)
def test_what_no_pc_would_say_is_refused(told: object) -> None:
    with pytest.raises(DecodeError):
        unpacked(zlib.compress(codec.encode(told)))


def test_what_a_newer_release_adds_is_ignored() -> None:
    assert unpacked(zlib.compress(codec.encode({"facts": {"a": 1}, "later": {"x": 1}}))) == Changes({"a": 1})
