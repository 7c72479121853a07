"""`seed_server.leasing.builders`."""

from p2pdist.shared.identifiers import EndpointId, TorrentHash
from seed_server.leasing.builders import Builders

A, B = EndpointId("a" * 26), EndpointId("b" * 26)
ONE, TWO = TorrentHash("11" * 32), TorrentHash("22" * 32)


def test_what_is_said_last_counts() -> None:
    builders = Builders()
    assert builders.say(A, [ONE, TWO])
    assert builders.say(B, [TWO])
    assert not builders.say(B, [TWO])
    assert (set(builders.of(ONE)), set(builders.of(TWO))) == ({A}, {A, B})
    assert builders.say(A, [TWO])
    assert (set(builders.of(ONE)), set(builders.of(TWO))) == (set(), {A, B})
    assert builders.any_of(A)
    assert builders.say(A, [])
    assert not builders.say(A, [])
    assert not builders.any_of(A)
    assert set(builders.of(TWO)) == {B}
