"""`p2pdist.identity.copies`: what a person reads on a PC whose identity others show."""

from p2pdist.identity.copies import Copies
from p2pdist.shared.wire.messages import OtherPc

HOME = "/var/lib/p2p dist"
TWO, THREE = OtherPc("pc-2", "10.0.0.2"), OtherPc("pc-3", "10.0.0.3")


def test_alone_there_is_nothing_to_say() -> None:
    assert Copies().words(HOME) == ""


def test_the_others_are_named_and_the_cure_is_a_command() -> None:
    words = Copies((TWO, THREE)).words(HOME)
    assert "pc-2 (10.0.0.2) and pc-3 (10.0.0.3)" in words
    assert "now this one." in words
    assert words.endswith("p2pdist enrol --home '/var/lib/p2p dist' --force --new-key")


def test_the_one_that_is_refused_is_told_so_also_where_nobody_is_named() -> None:
    assert "is used by another PC too" in Copies(refused=True).words(HOME)
    assert "now not this one." in Copies((TWO,), refused=True).words(HOME)
