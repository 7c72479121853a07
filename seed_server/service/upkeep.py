"""What the web part keeps in order: signed metadata, its certificate, the address that PCs have enrolled with."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.clock import Clock
from p2pdist.shared.errors import UserError
from seed_server.enrolment.certificate_authority import CertificateAuthority, ServerCertificate
from seed_server.fleet.context import Context
from seed_server.fleet.moving import MOST_NAMES, read_move, uninformed_words
from seed_server.ports.called_address import why_not_here
from seed_server.settings.home import ServerHome
from seed_server.settings.server_toml import ServerSettings
from seed_server.signing.key_files import unencrypted_keys
from seed_server.signing.log_checkpoint import tell_newest
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import expiring_offline
from seed_server.store.database import Database
from seed_server.store.restored_mark import is_catching_up

UPKEEP_SECONDS = 300.0  # TUF roles are renewed at half of their life, the shortest is hours
ADDRESSES_SECONDS = 1.0  # a look at one file; PCs hear of a new address within seconds
UNINFORMED_FIRST_SECONDS = 60.0  # after a start PCs come back and say what they know
UNINFORMED_SECONDS = 3_600.0  # a move takes days: whoever was off over the weekend is to hear of it
CERTIFICATE_SECONDS = 30.0 * DAY_SECONDS  # a third of the server certificate's life

log = structlog.get_logger()


@dataclass(frozen=True)
class Upkeep:
    """Renews what expires, and warns of what it cannot renew. It alone signs while the server runs."""

    home: ServerHome
    settings: ServerSettings
    authority: CertificateAuthority
    repository: Repository
    clock: Clock

    async def keep_fresh(self) -> None:
        """Sign the online roles anew before they expire, and warn before the offline ones do."""
        while True:
            try:
                if await trio.to_thread.run_sync(self.repository.refresh_timestamp, self.clock.now()):
                    log.info("online metadata signed anew")
                if await trio.to_thread.run_sync(self._tell_log):
                    log.info("PCs are told of the audit log as it is now")
                expiries, now = await trio.to_thread.run_sync(self.repository.expiries), self.clock.now()
                for expiry in expiring_offline(expiries, now):
                    days = max(0, int((expiry.expires_at - now) / DAY_SECONDS))
                    log.warning("offline metadata expires soon: run 'seed-server renew'", role=expiry.role, days=days)
            except UserError as error:
                log.error("metadata cannot be signed", reason=error.message)  # noqa: TRY400
            except Exception:  # the web port and the rollouts go on, and the next time it may be mended
                log.exception("metadata cannot be signed")
            await trio.sleep(UPKEEP_SECONDS * random.uniform(0.8, 1.0))  # noqa: S311 - jitter

    def _tell_log(self) -> bool:
        if is_catching_up(self.home):
            return False
        life, now = self.settings.rollouts_lifetime_days * DAY_SECONDS, self.clock.now()
        return tell_newest(self.repository, self.home, rollouts_life=life, now=now)

    async def watch_address(self) -> None:
        """Warn while the address that PCs have enrolled with leads to other machines."""
        while not self.settings.listen_address:  # it says that the address is another's, such as a router's
            address = self.settings.address
            reason = await trio.to_thread.run_sync(
                why_not_here, address, self.settings.web_port, abandon_on_cancel=True
            )
            if reason:
                log.warning(
                    "PCs do not find this server under the address that they enrolled with: give that back to this "
                    "machine, or correct the name's entry; else on each PC: p2pdist server set ADDRESS",
                    address=address,
                    reason=reason,
                )
            await trio.sleep(UPKEEP_SECONDS)

    def new_certificate(self) -> ServerCertificate:
        """Return a key and a certificate for both ports, for every address that PCs are told. Raises `UserError`."""
        return self.authority.issue_server_certificate(self._names(), self.clock.now())

    def _names(self) -> list[str]:
        signed = self.repository.servers()
        listed = [] if signed is None else [address.host for address in signed.addresses]
        return list(dict.fromkeys([self.settings.address, *listed]))

    async def follow_addresses(self, use: Callable[[ServerCertificate], None]) -> None:
        """Show a certificate for the addresses that are signed, as soon as they are. ``use`` may raise `UserError`."""
        names, seen = await trio.to_thread.run_sync(self._names), 0
        while True:
            await trio.sleep(ADDRESSES_SECONDS)
            try:
                if (version := await trio.to_thread.run_sync(self.repository.timestamp_version)) == seen:
                    continue
                if (found := await trio.to_thread.run_sync(self._names)) != names:
                    use(self.new_certificate())
                    log.info("the server's certificate names other addresses", addresses=found)
                names, seen = found, version
            except UserError as error:
                log.error("the server's addresses cannot be read", reason=error.message)  # noqa: TRY400
                await trio.sleep(UPKEEP_SECONDS)

    async def warn_of_uninformed(self, context: Context, database: Database) -> None:
        """Warn, now and then, of PCs that know only a former address."""
        while True:
            await trio.sleep(UNINFORMED_FIRST_SECONDS)
            try:
                look = partial(read_move, context, most=MOST_NAMES, database=database, repository=self.repository)
                if (state := await trio.to_thread.run_sync(look)).lacking:
                    log.warning(
                        "PCs know only a former address of this server: let them connect before that goes, or run "
                        "'p2pdist server set' there; 'seed-server move --names' lists them",
                        pcs=state.lacking,
                        of=state.everyone,
                        names=uninformed_words(state),
                    )
            except UserError as error:
                log.warning("who knows the server's addresses cannot be read", reason=error.message)
            await trio.sleep(UNINFORMED_SECONDS)

    async def keep_certificate(self, use: Callable[[ServerCertificate], None]) -> None:
        """Have a new certificate used long before the old one expires. ``use`` may raise `UserError`."""
        wait = CERTIFICATE_SECONDS
        while True:
            await trio.sleep(wait)
            try:
                # not in a thread: a handshake must not meet a half-replaced context
                use(self.new_certificate())
            except UserError as error:
                log.error("the server certificate cannot be replaced", reason=error.message)  # noqa: TRY400
                wait = UPKEEP_SECONDS
            else:
                log.info("server certificate replaced")
                wait = CERTIFICATE_SECONDS

    async def clear_up(self) -> None:
        """Remove what killed processes left, and say what the operator should look at."""
        try:
            if removed := await trio.to_thread.run_sync(self.repository.remove_leftovers):
                log.info("files that killed writers left are removed", files=removed)
            exposed = await trio.to_thread.run_sync(unencrypted_keys, self.home.offline_keys)
        except UserError as error:
            log.warning("the home was not looked through", reason=error.message)
            return
        if exposed:
            log.warning(
                "offline keys lie here, not encrypted: whoever takes over this server can sign patches. Move them to "
                "another machine, and sign there with 'seed-server sign'",
                keys=[path.stem for path in exposed],
                folder=str(self.home.offline_keys),
            )
