"""`seed_server.origin.hello`; what each protocol is told is in `test_other_releases`."""

import pytest
from msgspec.structs import replace

from p2pdist.shared.wire.channels import encode_message
from p2pdist.shared.wire.data_messages import DataHello
from p2pdist.shared.wire.features import INVITES, NEIGHBOURS, PC_FEATURES, SERVER_FEATURES
from p2pdist.shared.wire.messages import PROTOCOL_VERSION, ControlHello
from seed_server.origin.connection import RefusedError
from seed_server.origin.hello import hello_of, told_features
from seed_server.settings.server_toml import ServerSettings

HELLO = ControlHello(
    protocol=PROTOCOL_VERSION,
    software="p2pdist",
    hostname="pc",
    addresses=["10.0.0.1"],
    lan_port=7_000,
    on_mains=True,
    wired=True,
    uptime_seconds=1,
    instance="0" * 32,
    features=(INVITES, "of_a_later_release"),
)


def test_of_the_features_those_that_are_known_here_are_kept_and_once_for_all_pcs() -> None:
    hello = hello_of(encode_message(HELLO))
    assert isinstance(hello, ControlHello)
    assert hello.features == (INVITES,)
    assert hello.features[0] is next(known for known in PC_FEATURES if known == INVITES)


def test_that_of_a_data_connection() -> None:
    said = DataHello(protocol=PROTOCOL_VERSION, instance="0" * 32, large_packets_lost=False)
    assert hello_of(encode_message(said)) == said


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "the first message is no hello"),
        (b"\xc0", "the first message is no hello"),
        (encode_message(DataHello(protocol=99, instance="0" * 32, large_packets_lost=False)), "upgrade the server"),
    ],
)
def test_what_is_none_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(RefusedError, match=why):
        hello_of(body)


def test_pcs_are_asked_who_is_beside_them_only_where_that_is_wanted_and_the_site_is_the_company_s() -> None:
    off = ServerSettings(name="hq", address="127.0.0.1")
    on = replace(off, unmanaged_neighbours=True)
    assert told_features(PROTOCOL_VERSION, "leeds", off, SERVER_FEATURES) == SERVER_FEATURES
    assert told_features(PROTOCOL_VERSION, "auto-203.0.113.0/24", on, SERVER_FEATURES) == SERVER_FEATURES, (
        "it may be somebody's home"
    )
    assert told_features(PROTOCOL_VERSION, "leeds", on, SERVER_FEATURES) == (*SERVER_FEATURES, NEIGHBOURS)
    assert told_features(PROTOCOL_VERSION - 1, "leeds", on, SERVER_FEATURES) == ()
