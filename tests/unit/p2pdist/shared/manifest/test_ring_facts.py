"""`p2pdist.shared.manifest.ring_facts`: a PC and its server choose by the same facts."""

import pytest

from p2pdist.shared.manifest.facts import FACTS, Facts, Packages
from p2pdist.shared.manifest.ring_facts import RING_FACTS, TOLD_FACTS, other_names, ring_facts, told_facts
from p2pdist.shared.manifest.tokens import ExpressionError
from p2pdist.shared.manifest.versions import Ecosystem, parse_version
from p2pdist.shared.wire import codec

PC = Facts(
    {
        "site": "oslo", "tags": ("lab",), "hostname": "pc-1", "os.family": "debian", "os.id": "debian",
        "os.release": parse_version("12", Ecosystem.GENERIC), "os.build": 0, "os.language": "ja-jp", "arch": "amd64",
        "ram_mb": 16_000, "battery_percent": 80, "on_mains": True, "disk.free_mb": 9,
    },
    Packages({Ecosystem.DEB: {"openssl": "3.0"}}),
)  # fmt: skip


def test_what_a_pc_tells_gives_its_server_the_same_facts() -> None:
    told = codec.unpack(codec.encode(told_facts(PC)), max_bytes=1_000)
    assert set(told) == set(TOLD_FACTS)
    there = ring_facts(told, site="oslo", tags=("lab",))
    assert there == ring_facts(told_facts(PC), site="oslo", tags=("lab",))
    assert there.values == {name: value for name, value in PC.values.items() if name in RING_FACTS}
    assert not there.packages


@pytest.mark.parametrize(
    "told",
    [
        {"os.build": "10"}, {"hostname": 7}, {"os.release": 12}, {"os.release": "\n"}, {"moon": "full"},
        {"site": "elsewhere"},
    ],
)  # fmt: skip
def test_what_is_not_known_or_of_another_type_is_no_fact(told: dict[str, int | str]) -> None:
    assert ring_facts(told, site="oslo", tags=()).values == {"site": "oslo", "tags": ()}


def test_a_pc_tells_no_fact_that_is_too_long_or_a_truth() -> None:
    assert told_facts(Facts({"hostname": "x" * 256, "os.build": True})) == {}


def test_names_that_no_ring_can_know_are_named() -> None:
    assert other_names('site == "oslo" and "lab" in tags and not os.build > 1 and true') == []
    expression = 'on_mains or package("openssl") < version("3") or installed("acme") and battery_percent > 5'
    assert other_names(expression) == ["battery_percent", 'installed("acme")', "on_mains", 'package("openssl")']
    with pytest.raises(ExpressionError):
        other_names("(")


def test_each_is_a_fact() -> None:
    assert FACTS.keys() >= RING_FACTS
