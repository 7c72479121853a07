"""The API is a process of its own: over TLS with a token, and whatever becomes of it, the others go on."""

import os
import signal
import ssl
from pathlib import Path

import httpx
import msgspec
import pytest
import trio
from cryptography import x509

from bench.fleet_processes import free_ports
from p2pdist.shared.clock import SystemClock
from seed_server.enrolment.certificate_authority import CertificateAuthority
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import make_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.people_operations import add_person
from seed_server.fleet.roles import ROLES
from seed_server.service.api_part import new_certificate
from seed_server.settings.server_toml import ServerSettings, write_settings
from tests.helpers.fake_clock import FakeClock
from tests.helpers.running_server import Server, running_server

ROOT = Actor.local_user("root")


def token_of(server: Server, name: str) -> str:
    context = Context(server.home, SystemClock())
    add_person(context, ROOT, name, roles=["operator"])
    rights = ROLES["operator"]
    return make_api_token(context, ROOT, label="t", seconds=600, permissions=rights, owner=name).text


async def with_api(server: Server) -> str:
    """Start the server again, with an API; return where that is."""
    (port,) = free_ports(1)
    server.process.terminate()
    await server.process.wait()
    server.settings = msgspec.structs.replace(server.settings, api_port=port)
    write_settings(server.home, server.settings)
    await server.start()
    return f"https://127.0.0.1:{port}"


def client_of(server: Server, url: str, token: str) -> httpx.AsyncClient:
    context = ssl.create_default_context(cadata=CertificateAuthority.open(server.home.ca).control_ca_pem)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=url, verify=context, headers=headers, trust_env=False, timeout=20)


@pytest.mark.trio
async def test_the_api_serves_and_its_end_touches_nobody_else(tmp_path: Path) -> None:
    async with running_server(tmp_path, "127.0.71.1") as server:
        assert set(server.parts()) == {"web", "origin"}
        with trio.fail_after(60):
            url = await with_api(server)
            assert set(server.parts()) == {"api", "web", "origin"}
            assert f"API {url}" in server.log
            token = token_of(server, "ada")
            async with client_of(server, url, token) as client:
                answer = await client.get("/api/v1/status")
                assert (answer.status_code, answer.json()["serving"], answer.json()["endpoints"]) == (200, True, 1)
                (row,) = (await client.get("/api/v1/endpoints")).json()["rows"]
                key = {"Idempotency-Key": "deny-1"}
                done = await client.post(f"/api/v1/endpoints/{row['id']}/deny", json={}, headers=key)
                assert done.status_code == 200
                assert (await client.post("/api/v1/batches", json={"items": [{"kind": "allow", "endpoint": row["id"]}]})).text.count("\n") == 2  # fmt: skip  # noqa: E501
                page = await client.get("/help")  # a token is no session
                assert (page.status_code, page.headers["location"]) == (303, "/login?next=%2Fhelp")
                assert "default-src 'none'" in page.headers["content-security-policy"]
                assert (await client.head("/nothing")).status_code == 404
                assert (await client.get("/live")).status_code == 401
            for host in ("localhost", "127.0.0.1"):
                async with client_of(server, url.replace("127.0.0.1", host), token) as client:
                    assert (await client.get("/api/v1/self")).json()["person"] == "ada"

            before = server.parts()
            os.kill(before["api"], signal.SIGKILL)
            await server.logged("a part of the server serves again", "api")
            after = server.parts()
            assert after["api"] != before["api"]
            assert (after["web"], after["origin"]) == (before["web"], before["origin"])
            async with client_of(server, url, token) as client:
                again = await client.post(f"/api/v1/endpoints/{row['id']}/deny", json={}, headers=key)
                assert again.headers["idempotency-replayed"] == "true"
                assert again.content == done.content
        assert token not in server.log
        assert token.rpartition("_")[2][:12] not in server.log


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("127.0.0.1", ["127.0.0.1", "localhost", "hq.example"]),
        ("192.0.2.7", ["192.0.2.7", "localhost", "hq.example"]),
        ("0.0.0.0", ["localhost", "hq.example"]),
        ("::", ["localhost", "hq.example"]),
    ],
)
def test_the_certificate_names_where_the_api_is_found(tmp_path: Path, address: str, names: list[str]) -> None:
    CertificateAuthority.create(tmp_path / "ca", "hq", 1_800_000_000.0)
    authority = CertificateAuthority.open(tmp_path / "ca")
    settings = ServerSettings(name="hq", address="hq.example", api_port=8444, api_address=address)
    made = new_certificate(authority, settings, FakeClock(1_800_000_000.0))
    found = x509.load_pem_x509_certificate(made.certificate_pem).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert [str(one.value) for one in found.value] == names
