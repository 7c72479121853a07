"""`seed_server.service.messages`: what the server's processes take from each other, at the limit and over it."""

from typing import Any

import pytest

from p2pdist.shared.errors import FaultKind
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.enrolment import MAX_PEM_CHARS
from p2pdist.shared.wire.fields import MAX_BYTE_COUNT
from seed_server.service.messages import (
    MAX_LISTENING,
    MAX_PART_FAULT_CHARS,
    MAX_SEEN_ADDRESS_CHARS,
    Begin,
    BudgetSpent,
    Handshake,
    KnownAddress,
    NoTurn,
    PartAnswers,
    PartFails,
    PartServes,
    SmallAnswer,
    Turn,
    UseCertificate,
    WantTurn,
    decode_begin,
    decode_from_origin_part,
    decode_from_web_part,
    decode_to_parent,
)
from seed_server.settings.server_toml import ServerSettings

PC, PEM = "a" * 26, "x" * MAX_PEM_CHARS
ADDRESS = "1" * MAX_SEEN_ADDRESS_CHARS
SETTINGS = ServerSettings(name="hq", address="192.0.2.1", egress_mbit=20.5, log_level="debug")
LAST = (1 << 62) - 1
FROM_WEB = [
    UseCertificate(PEM, PEM, PEM, 1e11),
    WantTurn(LAST, ADDRESS, PC, 0, None, 1),
    WantTurn(0, ADDRESS, PC, LAST, LAST, 1 << 30),
    NoTurn(LAST),
    SmallAnswer(ADDRESS, MAX_BYTE_COUNT),
    Handshake("::"),
    KnownAddress("fe80::1%enp0s31f6"),
    BudgetSpent(PC, 0),
]


@pytest.mark.parametrize("message", FROM_WEB)
def test_messages_of_the_web_part(message: Any) -> None:
    assert decode_from_web_part(codec.encode(message)) == message


@pytest.mark.parametrize("message", [Turn(LAST, LAST, 1 << 30), KnownAddress(ADDRESS), BudgetSpent(PC, MAX_BYTE_COUNT)])
def test_messages_of_the_origin_part(message: Any) -> None:
    assert decode_from_origin_part(codec.encode(message)) == message


@pytest.mark.parametrize(
    "message",
    [
        UseCertificate(PEM + "x", PEM, PEM, 0.0),
        WantTurn(LAST + 1, ADDRESS, PC, 0, None, 1),
        WantTurn(0, ADDRESS, PC, 0, None, 0),
        WantTurn(0, ADDRESS, PC, 0, None, (1 << 30) + 1),
        WantTurn(0, ADDRESS, PC, -1, None, 1),
        WantTurn(0, ADDRESS, "no endpoint", 0, None, 1),
        SmallAnswer(ADDRESS, -1),
        Handshake(ADDRESS + "1"),
        Turn(0, 0, 1),
        PartServes(),
    ],
)
def test_what_is_no_message_of_the_web_part(message: Any) -> None:
    with pytest.raises(DecodeError):
        decode_from_web_part(codec.encode(message))


@pytest.mark.parametrize("message", [Turn(0, 0, 0), Turn(0, -1, 1), NoTurn(0), Handshake("::")])
def test_what_is_no_message_of_the_origin_part(message: Any) -> None:
    with pytest.raises(DecodeError):
        decode_from_origin_part(codec.encode(message))


@pytest.mark.parametrize(
    "message", [PartServes(), PartAnswers(), PartFails(FaultKind.STORAGE, "x" * MAX_PART_FAULT_CHARS)]
)
def test_messages_to_the_parent(message: Any) -> None:
    assert decode_to_parent(codec.encode(message)) == message


def test_a_long_reason_is_no_message_to_the_parent() -> None:
    with pytest.raises(DecodeError):
        decode_to_parent(codec.encode(PartFails(FaultKind.STORAGE, "x" * (MAX_PART_FAULT_CHARS + 1))))


def test_a_part_begins_with_its_parents_settings() -> None:
    begin = Begin("/srv/patches", SETTINGS, tuple(range(MAX_LISTENING)))
    assert decode_begin(codec.encode(begin)) == begin
    with pytest.raises(DecodeError):
        decode_begin(codec.encode(Begin("/srv/patches", SETTINGS, tuple(range(MAX_LISTENING + 1)))))
