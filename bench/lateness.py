"""How late the server's controllers are while others ask its web port: 20 Hz steps, with and without that load.

    python -m bench.lateness [--json] [--clients 20] [--seconds 20] [--sites 3]

A server and a PC in each of several sites run on loopback addresses; each PC fetches a file over a line that the site
map names, so each site has a controller. Then clients enrol, ask what is news and fetch metadata, with a new handshake
for most requests. The server's own debug log says how late its controllers were.
"""

import argparse
import json
import os
import re
import ssl
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx
import trio

from bench.fleet import Fleet, open_fleet
from p2pdist.identity.store import certificate_request, new_key
from p2pdist.shared.wire.enrolment import EnrolReply, EnrolRequest, decode_body, decode_token, encode_body
from seed_server.line.lateness import together

NETWORK = "127.0.45"
LINE_MBIT = 8.0
MOST_P99_MS = 5.0
REQUEST_PAUSE_SECONDS = 0.05  # of each client between two requests: 20 ask for some 200 pages a second
TOLD_SECONDS = 10.0  # between two lines of the server's log
PATCH = "large"
LATE = re.compile(r'event="how late the controllers were".* worst="([0-9.]+) ms" classes="?([0-9: ]+)')


@dataclass(frozen=True)
class Late:
    """How late the controllers were, over some time."""

    steps: int
    p99_ms: float
    """All but one of a hundred steps of the whole time were at most so late."""
    worst_ms: float


@dataclass(frozen=True)
class Measured:
    """What a run has found."""

    idle: Late
    loaded: Late
    requests: int
    """Answered in the loaded time."""
    refused: int


def told(log: str) -> Late:
    """Return what these lines of a server's log tell of its controllers, together. Raises `ValueError`: nothing."""
    found = together((classes, float(worst) / 1e3) for worst, classes in LATE.findall(log))
    if found is None:
        raise ValueError("the log tells nothing of its controllers")
    return Late(found.steps, round(1e3 * found.p99_seconds, 2), round(1e3 * found.worst_seconds, 2))


class Load:
    """The clients of the web port."""

    def __init__(self, fleet: Fleet, token_text: str) -> None:
        self._url = f"https://{fleet.server.address}:{fleet.web_port}"
        self._secret = decode_token(token_text).secret.hex()
        self._unchecked = ssl._create_unverified_context()  # noqa: SLF001 - it is measured, not trusted
        self.answered = 0
        self.refused = 0

    async def client(self, address: str) -> None:
        """Ask from ``address`` until cancelled."""
        key = new_key()
        request = encode_body(EnrolRequest(self._secret, certificate_request(key), address))
        reply = decode_body(
            (await self._ask(self._unchecked, address, "POST", "/v1/enrol", request)).content, EnrolReply
        )
        member = ssl.create_default_context(cadata=reply.certificates.control_ca)
        with tempfile.NamedTemporaryFile(suffix=".pem") as chain:
            chain.write((reply.certificates.control_certificate + key).encode())
            chain.flush()
            member.load_cert_chain(chain.name)
        while True:
            with suppress(httpx.HTTPError):
                await self._ask(self._unchecked, address, "POST", "/v1/enrol", request)
                await self._ask(member, address, "GET", "/tuf/news/1/0")
                await self._ask(member, address, "GET", "/tuf/metadata/timestamp.json")

    async def _ask(
        self, context: ssl.SSLContext, address: str, method: str, path: str, body: bytes | None = None
    ) -> httpx.Response:
        transport = httpx.AsyncHTTPTransport(verify=context, local_address=address, trust_env=False)
        async with httpx.AsyncClient(base_url=self._url, transport=transport, trust_env=False) as http:
            response = await http.request(method, path, content=body)
        self.answered += response.is_success
        self.refused += not response.is_success
        await trio.sleep(REQUEST_PAUSE_SECONDS)
        return response


async def measure(directory: Path, *, clients: int, seconds: float, sites: int) -> Measured:
    """Run a server in ``directory``, and return how late its controllers were."""
    async with open_fleet(directory, network=NETWORK, endpoints=sites) as fleet:
        await fleet.init_server()
        fleet.server.home.joinpath("sites.toml").write_text(
            "".join(
                f'[[site]]\nname = "s{k}"\nnetworks = ["{member.address}/32"]\nline_mbit = {LINE_MBIT}\n'
                for k, member in fleet.endpoints.items()
            )
        )
        with fleet.server.home.joinpath("server.toml").open("a") as settings:
            settings.write('log_level = "debug"\n')
        await fleet.start_server()
        fleet.follow_seconds = 2.0  # their answers cost this machine's processors
        for k in fleet.endpoints:
            await fleet.start_endpoint(k)
        load = Load(fleet, await fleet.token("--uses", str(clients)))
        moving_seconds = 2 * seconds + 3 * TOLD_SECONDS
        file = directory / "large.bin"
        file.write_bytes(os.urandom(int(moving_seconds * LINE_MBIT * 125_000)))
        await fleet.publish(file, PATCH)
        await trio.sleep(TOLD_SECONDS)  # the line is full by then
        began = fleet.server.log.stat().st_size
        await trio.sleep(seconds)
        asked = fleet.server.log.stat().st_size
        async with trio.open_nursery() as nursery:
            for client in range(clients):
                nursery.start_soon(load.client, f"{NETWORK}.{100 + client}")
            await trio.sleep(TOLD_SECONDS)  # so that each line counts a loaded time alone
            loaded = fleet.server.log.stat().st_size
            before, refused_before = load.answered, load.refused
            await trio.sleep(seconds)
            requests, refused = load.answered - before, load.refused - refused_before
            nursery.cancel_scope.cancel()
        log = fleet.server.log.read_bytes()
    idle, busy = log[began:asked].decode(), log[loaded:].decode()
    return Measured(told(idle), told(busy), requests, refused)


def main() -> None:
    """Measure and print; exit status 1 when the controllers were later than they may be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--sites", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lateness-") as directory:
        measured = trio.run(_measure, Path(directory), arguments)
    if arguments.json:
        print(json.dumps(asdict(measured), indent=2))
    else:
        for name, late in (("nobody asks", measured.idle), ("clients ask", measured.loaded)):
            print(f"{name}: p99 {late.p99_ms} ms, worst {late.worst_ms} ms of {late.steps} steps")
        print(f"{measured.requests} requests answered, {measured.refused} refused")
    sys.exit(measured.loaded.p99_ms > MOST_P99_MS)


async def _measure(directory: Path, arguments: argparse.Namespace) -> Measured:
    return await measure(directory, clients=arguments.clients, seconds=arguments.seconds, sites=arguments.sites)


if __name__ == "__main__":
    main()
