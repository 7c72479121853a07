"""Probes are answered by hosts, not by programs; where nobody answers, nothing is said. Loss: `tests/field`."""

import socket

import pytest

from p2pdist.doctor import packet_probe
from p2pdist.doctor.packet_probe import try_packets


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
async def test_where_packets_of_both_sizes_are_answered_they_pass(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as free:
        free.bind((address, 0))
        port = free.getsockname()[1]
    assert (await try_packets(address, port, wait_seconds=0.5)).state == "pass"


async def test_where_probes_are_swallowed_nothing_is_known() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as swallowing:
        swallowing.bind(("127.0.0.1", 0))
        facts = await try_packets("127.0.0.1", swallowing.getsockname()[1], wait_seconds=0.02)
    assert facts.state == "unknown"
    assert "does not answer probes" in facts.words


async def test_where_full_packets_alone_are_not_answered_they_are_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    async def only_small(_probe: object, payload_bytes: int, _wait_seconds: float) -> bool:
        return payload_bytes < 1_300

    monkeypatch.setattr(packet_probe, "_answered", only_small)
    assert (await try_packets("127.0.0.1")).state == "lost"
