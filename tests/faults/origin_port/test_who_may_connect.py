"""An endpoint that may not connect to the origin port gets not one byte of a patch."""

import time
from dataclasses import replace
from pathlib import Path

import pytest
import trio
from cryptography.x509.oid import ExtendedKeyUsageOID

from p2pdist.shared.identifiers import EndpointId
from p2pdist.shared.wire.data_messages import Piece
from tests.helpers.origin_endpoint import (
    Connection,
    hello,
    want,
)
from tests.helpers.origin_harness import TEST_LIMITS, Lab, control_ca_leaf, fetch, running_lab
from tests.helpers.pki import TestCA, client_context


class TestWhoMayConnect:
    async def refused(self, lab: Lab, connection: Connection) -> None:
        """Assert that the server sends not one application byte, whatever it is asked for."""
        patch = await lab.publish(2)
        try:
            await connection.send(hello("127.0.8.9"))
            await connection.send(want(patch))
        except trio.BrokenResourceError:
            pass
        assert await connection.closed() == ""
        assert connection.received_bytes == 0
        await lab.still_serves()

    async def test_not_without_a_certificate(self, lab: Lab) -> None:
        await self.refused(lab, await lab.connect(lab.context(None)))

    async def test_not_with_a_certificate_of_a_foreign_ca(self, lab: Lab) -> None:
        foreign = client_context(TestCA(), TestCA().issue(lab.identity().endpoint))
        foreign.load_verify_locations(cadata=lab.authority.control_ca_pem)
        await self.refused(lab, await lab.connect(foreign))

    async def test_not_with_a_foreign_ca_of_the_same_name(self, lab: Lab) -> None:
        subject = lab.authority._control.certificate.subject.rfc4514_string().removeprefix("CN=")
        foreign = client_context(TestCA(), TestCA(subject).issue(lab.identity().endpoint))
        foreign.load_verify_locations(cadata=lab.authority.control_ca_pem)
        await self.refused(lab, await lab.connect(foreign))

    async def test_not_with_the_swarm_certificate(self, lab: Lab) -> None:
        identity = lab.identity()
        context = lab.context(identity.certificates.swarm_certificate, identity.key_pem)
        await self.refused(lab, await lab.connect(context))

    @pytest.mark.parametrize("days", [-2, 2])
    async def test_not_with_an_expired_or_future_certificate(self, lab: Lab, days: int) -> None:
        identity = lab.identity(now=time.time() + days * 86_400)
        await self.refused(lab, await lab.connect(lab.own_context(identity)))

    @pytest.mark.parametrize("names", [("*",), ("a" * 25,), ("a" * 26, "b" * 26), ("A" * 26,)])
    async def test_not_with_a_name_that_is_no_endpoint(self, lab: Lab, names: tuple[str, ...]) -> None:
        await self.refused(lab, await lab.connect(control_ca_leaf(lab, names)))

    async def test_not_with_a_servers_certificate(self, lab: Lab) -> None:
        context = control_ca_leaf(lab, [lab.identity().endpoint], usage=ExtendedKeyUsageOID.SERVER_AUTH)
        await self.refused(lab, await lab.connect(context))

    async def test_not_when_it_is_not_in_the_database(self, lab: Lab) -> None:
        raw = await lab.connect(lab.own_context(lab.identity(enrolled=False)))
        await raw.send(hello("127.0.8.9"))
        assert "not enrolled" in await raw.closed()

    async def test_not_when_denied(self, lab: Lab) -> None:
        identity = lab.identity()
        lab.database.set_denied(identity.endpoint, True)
        raw = await lab.connect(lab.own_context(identity))
        await raw.send(hello("127.0.8.9"))
        assert "denied" in await raw.closed()

    async def test_no_longer_when_denied_while_connected(self, lab: Lab) -> None:
        patch = await lab.publish(3)
        bad, good = await lab.endpoint(), await lab.endpoint()
        await bad.want(patch)
        await bad.data.expect(Piece)
        lab.database.set_denied(bad.identity.endpoint, True)
        lab.server.drop_denied({bad.identity.endpoint})
        assert "denied" in await bad.control.closed()
        await bad.data.closed()
        await good.want(patch)
        assert await fetch(lab, good, patch, 3) == [0, 1, 2]

    async def test_no_longer_when_forgotten_while_connected(self, lab: Lab) -> None:
        forgotten, other = await lab.endpoint(), await lab.endpoint()
        assert lab.server.connected == {forgotten.identity.endpoint, other.identity.endpoint}
        lab.database.forget_endpoint(forgotten.identity.endpoint)
        lab.server.drop_forgotten({forgotten.identity.endpoint, EndpointId("z" * 26)})
        assert "not enrolled" in await forgotten.control.closed()
        assert lab.server.connected == {other.identity.endpoint}

    async def test_again_when_allowed_again(self, lab: Lab) -> None:
        identity = lab.identity()
        lab.server.drop_denied({identity.endpoint})
        lab.server.drop_denied(set())
        await lab.endpoint(identity)

    async def test_no_longer_when_the_certificate_expires(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, ping_seconds=0.02, idle_ping_seconds=0.02)) as lab:
            endpoint = await lab.endpoint()
            session, _ = lab.server._fleet._sessions[endpoint.identity.endpoint]
            session.connection.certificate_expires_at = time.time()
            assert "expired" in await endpoint.control.closed()

    async def test_not_beyond_the_caps(self, tmp_path: Path) -> None:
        async with running_lab(tmp_path, limits=replace(TEST_LIMITS, max_per_address=2)) as lab:
            identity = lab.identity()
            await lab.endpoint(identity)
            third = await lab.connect(lab.own_context(identity), identity.local_address)
            await third.send(hello("127.0.8.9"))
            assert await third.closed() == ""
            await lab.still_serves()
