"""The API part: a process for programs and people's browsers. It works on database and repository as commands do.

It needs no word of the other parts, and keeps none of them waiting: their locks and watches are those of the files.
"""

import contextlib
import random
import ssl
from functools import partial

import structlog
import trio

from p2pdist.shared.clock import Clock, SystemClock
from p2pdist.shared.errors import UserError
from p2pdist.shared.server_address import is_ip_address
from seed_server.enrolment.certificate_authority import CertificateAuthority, ServerCertificate
from seed_server.fleet.context import Context, Opened
from seed_server.ports.gate import GateLimits
from seed_server.ports.own_certificate import FilesState, OwnCertificate
from seed_server.ports.server_tls import ServerTls
from seed_server.service.garbage import collect_when_quiet, only_young_garbage
from seed_server.service.look_upkeep import keep_looks
from seed_server.service.part import PartSetting
from seed_server.service.upkeep import CERTIFICATE_SECONDS, UPKEEP_SECONDS
from seed_server.settings.server_toml import ANY_ADDRESSES, ServerSettings
from seed_server.signing.signed_repository import SignedRepository
from seed_server.store.opening import open_lasting
from seed_server.web.api.answering import Answering
from seed_server.web.api.app import make_api
from seed_server.web.api.batches import answered
from seed_server.web.api.events import EventFeed, listening
from seed_server.web.api.table import API_ROUTES
from seed_server.web.frame.answering import PageAnswering
from seed_server.web.frame.app import beside, make_pages
from seed_server.web.frame.live import watching
from seed_server.web.frame.rendering import load_templates
from seed_server.web.frame.signed_in import actor_of, step_up
from seed_server.web.host import WebLimits, serve_web
from seed_server.web.pages.table import FORMS, PAGES
from seed_server.web.request_log import RequestLog

API_CONNECTIONS = GateLimits(connections=900, per_address=700, unproven=600)  # 500 listeners, and others beside them
API_CONNECTION_SECONDS = 2_400.0  # a stream of events ends itself after 1,800
OWN_CERTIFICATE_SECONDS = 60.0  # a look at two files; a renewal is weeks ahead of the end

log = structlog.get_logger()


async def serve_api(setting: PartSetting) -> None:
    """Serve until cancelled. Raises `UserError`: not initialised, damaged files, a database that cannot be opened."""
    home, settings, clock = setting.home, setting.settings, SystemClock()
    with contextlib.closing(open_lasting(home, settings)) as database, only_young_garbage():
        authority = CertificateAuthority.open(home.ca)
        if cut_off := await trio.to_thread.run_sync(database.requests_cut_off):
            log.warning("requests with an Idempotency-Key were cut off, and are not tried again", requests=cut_off)
        tls = ServerTls(authority.control_ca_pem, new_certificate(authority, settings, clock))
        tls.web.verify_mode = ssl.CERT_NONE  # programs show a token, and no certificate
        opened = Opened(database, SignedRepository(home))
        context = Context(home, clock, opened=opened)
        feed, workers = EventFeed(context), trio.CapacityLimiter(1)
        streams = {
            "listenToEvents": lambda call, asked: listening(
                feed, call, asked.headers.get("authorization", ""), asked.headers.get("last-event-id", "")
            ),
            "runBatch": lambda call, _: answered(call, workers),
        }
        requests = RequestLog(clock)
        pages = make_pages(PageAnswering(context, PAGES, FORMS, actor_of, step_up), partial(watching, feed), requests)
        app = beside(make_api(Answering(context), API_ROUTES, streams, requests), pages)
        limits = WebLimits(connections=API_CONNECTIONS, connection_seconds=API_CONNECTION_SECONDS)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(feed.run)
            nursery.start_soon(keep_looks, opened.looks, clock)
            nursery.start_soon(collect_when_quiet, lambda: False)
            own = OwnCertificate.of_api(settings)
            if own is None:
                nursery.start_soon(_keep_certificate, tls, partial(new_certificate, authority, settings, clock))
            else:
                await nursery.start(keep_own_certificate, tls, own)
            await nursery.start(partial(serve_web, app, setting.listening, tls.web, clock, limits=limits))
            setting.serves()
            nursery.start_soon(trio.to_thread.run_sync, load_templates)
            await trio.sleep_forever()


def new_certificate(authority: CertificateAuthority, settings: ServerSettings, clock: Clock) -> ServerCertificate:
    """Return a key and a certificate for the API's port: for its address, this machine's own name, and the server's."""
    own = [] if settings.api_address in ANY_ADDRESSES else [settings.api_address]
    assert is_ip_address(settings.api_address)
    names = list(dict.fromkeys([*own, "localhost", settings.address]))
    return authority.issue_server_certificate(names, clock.now())


async def keep_own_certificate(
    tls: ServerTls, own: OwnCertificate, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    """Show the certificate in the files, and the next one when they change; started once the first look is over.

    While they cannot be used, what was shown before goes on: whoever looks after the server may come by this port.
    """
    used: FilesState | None = None
    said = ""
    while True:
        state = await trio.to_thread.run_sync(own.state)
        if state != used:
            try:
                chain = await trio.to_thread.run_sync(own.read)
                tls.replace_chain(chain.pem)
            except UserError as error:
                if error.message != said:
                    log.error("the API's own certificate cannot be used", reason=error.message)  # noqa: TRY400
                said = error.message
            else:
                used, said = state, ""
                log.info("the API's port shows the certificate in its file", file=str(own.certificate))
        task_status.started()
        task_status = trio.TASK_STATUS_IGNORED
        await trio.sleep(OWN_CERTIFICATE_SECONDS)


async def _keep_certificate(tls: ServerTls, new: "partial[ServerCertificate]") -> None:
    """Use a new certificate long before the old one expires."""
    wait = CERTIFICATE_SECONDS
    while True:
        await trio.sleep(wait * random.uniform(0.9, 1.0))  # noqa: S311 - jitter
        try:
            tls.replace_certificate(new())
        except UserError as error:
            log.error("the API's certificate cannot be replaced", reason=error.message)  # noqa: TRY400
            wait = UPKEEP_SECONDS
        else:
            wait = CERTIFICATE_SECONDS
