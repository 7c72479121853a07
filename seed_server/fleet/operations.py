"""What operators may do: the one place where state changes for the command line, and later for callers over HTTPS.

An operation takes a `Context` and the `Actor` on whose behalf it acts; whatever is logged within it says ``actor=``.
It checks what it is given, and either does all of it or raises `UserError`. Blocking.
"""

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from bandwidth.core.quantities import DAY_SECONDS
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.servers import ServerList
from p2pdist.shared.manifest.site_profile import SiteProfile
from p2pdist.shared.manifest.template import MAX_TEMPLATES, Template, template_target
from p2pdist.shared.wire.enrolment import MAX_TOKEN_CHARS, SECRET_BYTES, Tags, Token, TokenPlace, encode_token
from seed_server.fleet.actor import Actor
from seed_server.fleet.audit_log import Deed
from seed_server.fleet.context import Context
from seed_server.fleet.operation import operation as _operation
from seed_server.fleet.operation import require as _require
from seed_server.fleet.queries import no_profile, no_template
from seed_server.fleet.roles import WHOLE_FLEET, Area
from seed_server.fleet.rollout_operations import abort_withdrawn
from seed_server.fleet.rollout_queries import halted_refs
from seed_server.publishing import publish as publishing
from seed_server.publishing.examination import Publication
from seed_server.publishing.publish import OnStage, Published
from seed_server.signing.key_files import OfflineKeys
from seed_server.signing.offers import checked_reason, dependents, parse_named
from seed_server.signing.profiles import PROFILES, checked_site, profile_in_file, read_profiles
from seed_server.signing.repository import Repository
from seed_server.signing.role_policy import OFFLINE_KEYS, RoleExpiry
from seed_server.signing.templates import TEMPLATES, checked_name, new_template, read_templates, template_names
from seed_server.store.rows import TokenRow
from seed_server.store.token_names import token_id_of

if TYPE_CHECKING:
    from seed_server.store.database import Database

MAX_TOKEN_USES = 100_000  # one token for the imaging of a whole fleet
MAX_TOKEN_DAYS = 30  # a token is a password on paper

log = lazy_log()


@dataclass(frozen=True)
class TokenMade:
    """A new token; its secret is kept nowhere else."""

    token: Token
    uses: int
    expires_at: float
    """Seconds since 1970, UTC."""
    tags: tuple[str, ...]
    approval: bool

    @property
    def token_id(self) -> str:
        """What `token list` and `token revoke` call it."""
        return token_id_of(self.token.secret)


@dataclass(frozen=True)
class Withdrawn:
    """The outcome of `withdraw`."""

    patches: tuple[PatchRef, ...]
    """What was offered until now; none where it was withdrawn before, and is now for good."""
    reason: str
    """As PCs show it."""
    for_good: bool
    """Whether only a new publication can be installed from now on."""
    dependents: tuple[PatchRef, ...]
    """What is still offered and requires it: PCs without it wait. None also where that cannot be read."""


# --- patches -----------------------------------------------------------------------------


@_operation("publish")
def publish(
    context: Context,
    actor: Actor,
    publication: Publication,
    keys: OfflineKeys,
    *,
    on_progress: OnStage = lambda *_: None,
    offered: bool = True,
) -> Published:
    """Sign a patch and offer it to every endpoint, or repair a published one whose files were damaged here.

    Not ``offered``: it waits for `rollout_operations.start_rollout`. Writes payloads, database and repository; a
    running server tells endpoints at once. Needs the patches key. Raises `UserError`, then nothing is announced:
    BAD_INPUT, NOT_SET_UP, REFUSED (key), STORAGE, BUSY.
    """
    recorder = context.recorded(actor, Deed("publish", str(publication.recipe.ref)))
    return publishing.publish(
        context.home,
        publication,
        keys,
        on_progress=on_progress,
        offered=offered,
        clock=context.clock,
        recorder=recorder,
    )


@_operation("withdraw")
def withdraw(context: Context, actor: Actor, patch: str, reason: str, keys: OfflineKeys | None = None) -> Withdrawn:
    """Offer ``patch`` (ID or ID@VERSION) to nobody any more; where it is installed, it stays.

    Writes the repository; a running server tells endpoints at once. Without ``keys`` (the patches key) it can be
    offered again by whoever has the server; with them, only by a new publication. Raises `UserError`: BAD_INPUT for
    a malformed name or reason, and for what is not offered; NOT_SET_UP, REFUSED (key), STORAGE, BUSY.
    """
    named, why = parse_named(patch), checked_reason(reason)
    key = None if keys is None else keys.load("patches")
    deed = Deed("withdraw", patch, reason=why, details={"for good": "no" if key is None else "yes"})
    repository = context.repository(context.recorded(actor, deed))
    halted = halted_refs(context, named)
    # says so where there is nothing to withdraw, before anything changes
    repository.rollouts_without(named, why, for_good=key is not None, now=context.clock.now(), halted=halted)
    abort_withdrawn(context, actor, named, why)
    gone = repository.withdraw_patch(named, why, patches_key=key, now=context.clock.now(), halted=halted)
    log.info("patch withdrawn", patch=patch, reason=why, for_good=key is not None)
    return Withdrawn(gone, why, for_good=key is not None, dependents=_dependents(repository, named))


def _dependents(repository: Repository, named: PatchRef) -> tuple[PatchRef, ...]:
    try:
        return tuple(dependents(named, repository.offered(), repository.manifests()))
    except UserError as error:  # it is withdrawn all the same, and must not look as if it were not
        log.warning("the patch is withdrawn, but which patches require it is not known", reason=error.message)
        return ()


@_operation("roll-out")
def offer(context: Context, actor: Actor, patch: str) -> tuple[PatchRef, ...]:
    """Offer ``patch`` (ID or ID@VERSION) again, which was withdrawn by the online key; return what is offered again.

    Writes the repository; a running server tells endpoints at once. Raises `UserError`: BAD_INPUT for a malformed name
    and for what is not withdrawn, REFUSED for what the offline key does not allow, NOT_SET_UP, STORAGE, BUSY.
    """
    repository = context.repository(context.recorded(actor, Deed("offer", patch)))
    back = repository.offer_patch(parse_named(patch), now=context.clock.now())
    log.info("patch offered again", patch=patch)
    return back


@_operation("keys")
def renew(context: Context, actor: Actor, keys: OfflineKeys, *, after_restore: bool = False) -> list[RoleExpiry]:
    """Sign the offline metadata anew; content stays as it is. Return until when each offline role is valid now.

    ``after_restore``: all of it, also what is young, since PCs have seen newer versions than the backup holds.
    Writes the repository. Needs all offline keys. Raises `UserError`: NOT_SET_UP, REFUSED (key), STORAGE, BUSY.
    """
    deed = Deed("renew", "offline metadata", details={"after restore": "yes" if after_restore else "no"})
    repository = context.repository(context.recorded(actor, deed))
    loaded = {name: keys.load(name) for name in OFFLINE_KEYS}
    repository.renew_offline_roles(loaded, context.clock.now(), young_too=after_restore)
    log.info("offline metadata signed anew")
    offline = [expiry for expiry in repository.expiries() if expiry.offline]
    return sorted(offline, key=lambda expiry: expiry.expires_at)


# --- tokens ------------------------------------------------------------------------------


@_operation("tokens", reach=None)
def make_token(
    context: Context,
    actor: Actor,
    *,
    uses: int,
    seconds: int,
    tags: tuple[str, ...] = (),
    approval: bool = False,
    one_address: bool = False,
) -> TokenMade:
    """Make a token that enrols ``uses`` PCs within ``seconds`` from now, and gives them ``tags``.

    It carries all addresses that PCs are told of this server, as far as they fit; ``one_address``: that of the
    settings alone, for PCs of release 0.2.0. ``approval``: each of them gets certificates only after `allow`. Writes
    the database, which stores only the secret's hash. Raises `UserError`: BAD_INPUT, NOT_SET_UP, STORAGE, BUSY.
    """
    if not 1 <= uses <= MAX_TOKEN_USES:
        raise UserError(f"A token enrols 1 to {MAX_TOKEN_USES} PCs, not {uses}.", FaultKind.BAD_INPUT)
    if not 1 <= seconds <= MAX_TOKEN_DAYS * DAY_SECONDS:
        raise UserError(f"A token is valid from 1 s to {MAX_TOKEN_DAYS} days, not {seconds} s.", FaultKind.BAD_INPUT)
    try:
        msgspec.convert(tags, Tags)
    except msgspec.ValidationError as error:
        raise UserError(f"These are no tags of PCs: {error}.", FaultKind.BAD_INPUT) from error
    # each tag by itself: a PC with one more would be in rings, and in others' hands, that the actor's scope has not
    _require(context, actor, "tokens", tuple(Area(tags=frozenset({tag})) for tag in tags) or WHOLE_FLEET)
    settings = context.settings()
    token = Token(
        address=settings.address,
        web_port=settings.web_port,
        ca_pin=context.authority().control_ca_pin(),
        root_pin=context.repository().root_pin(),
        secret=secrets.token_bytes(SECRET_BYTES),
    )
    if not one_address:
        token = _with_others(token, context.repository().servers())
    now = context.clock.now()
    made = TokenMade(token, uses, now + seconds, tags, approval)
    deed = Deed("make token", made.token_id)
    deed.details = {"uses": str(uses), "seconds": str(seconds), "tags": " ".join(tags), "approval": str(approval)}
    with context.audited(actor, deed) as database:
        database.add_token(token.secret, uses, now + seconds, now, tags, made_by=str(actor), approval=approval)
        deed.after = _token(database, made.token_id)
    log.info("token made", token=made.token_id, uses=uses, seconds=seconds, tags=tags, approval=approval)
    return made


def _with_others(token: Token, servers: ServerList | None) -> Token:
    """Return the token with the other addresses of the server, as many as fit."""
    for address in () if servers is None else servers.addresses:
        place = TokenPlace(address.host, address.web_port)
        longer = msgspec.structs.replace(token, others=(*token.others, place))
        if place != TokenPlace(token.address, token.web_port) and len(encode_token(longer)) <= MAX_TOKEN_CHARS:
            token = longer
    return token


@_operation("tokens", reach=None)
def revoke_token(context: Context, actor: Actor, token_id: str) -> TokenRow:
    """Let a token enrol nobody from now on; PCs that it has enrolled stay. Return it as it is now.

    Writes the database. Raises `UserError`: BAD_INPUT for an unknown id, NOT_SET_UP, STORAGE, BUSY.
    """
    context.settings()
    deed = Deed("revoke token", token_id)
    with context.audited(actor, deed) as database:
        deed.before = known = _token(database, token_id)
        if known is None:
            raise UserError(
                f"There is no token {token_id[:40]!r}. 'seed-server token list' lists them.", FaultKind.BAD_INPUT
            )
        _require(context, actor, "tokens", (Area(tags=frozenset(known.tags)),))
        database.revoke_token(token_id, context.clock.now())
        log.info("token revoked", token=token_id)
        deed.after = revoked = next(token for token in database.tokens() if token.token_id == token_id)
    return revoked


def _token(database: "Database", token_id: str) -> TokenRow | None:
    return next((token for token in database.tokens() if token.token_id == token_id), None)


# --- profiles and templates --------------------------------------------------------------


@_operation("profiles", reach=None)
def set_profile(context: Context, actor: Actor, site: str, file: Path, keys: OfflineKeys) -> SiteProfile:
    """Sign ``file`` as the throttle profile of ``site``, in place of the one before; a running server uses it at once.

    Writes the repository. Needs the profiles key. Raises `UserError`: BAD_INPUT, NOT_SET_UP, REFUSED (key), STORAGE,
    BUSY.
    """
    document = profile_in_file(file, site)
    _require(context, actor, "profiles", (Area(site=document.site),))
    repository = context.repository(context.recorded(actor, Deed("set profile", document.site)))
    PROFILES.sign(repository, keys, document.site, document, context.clock.now())
    log.info("profile set", site=document.site)
    return document


@_operation("profiles", reach=None)
def clear_profile(context: Context, actor: Actor, site: str, keys: OfflineKeys) -> None:
    """Take away the throttle profile of ``site``. Writes, needs and raises as `set_profile`; BAD_INPUT without one."""
    name = checked_site(site)
    _require(context, actor, "profiles", (Area(site=name),))
    repository = context.repository(context.recorded(actor, Deed("clear profile", name)))
    if name not in read_profiles(repository):
        raise no_profile(name)
    PROFILES.sign(repository, keys, name, None, context.clock.now())
    log.info("profile cleared", site=name)


@_operation("templates")
def set_template(
    context: Context, actor: Actor, name: str, file: Path, keys: OfflineKeys, *, most: int = MAX_TEMPLATES
) -> Template:
    """Sign ``file`` as the diagnosis template ``name`` of at most ``most``; answers to the one before are forgotten.

    Writes the repository and the database; the same template again signs nothing. Needs the patches key. Raises
    `UserError`: BAD_INPUT, NOT_SET_UP, REFUSED (key), STORAGE, BUSY.
    """
    repository = context.repository(context.recorded(actor, Deed("set template", name)))
    template = new_template(repository, name, file, most)
    # signing the same again would forget answers that PCs have no reason to repeat
    if read_templates(repository).get(name) != template:
        _change_template(context, repository, name, template, keys)
        log.info("template set", template=name)
    _forget_strays(context, repository)
    return template


@_operation("templates")
def remove_template(context: Context, actor: Actor, name: str, keys: OfflineKeys) -> None:
    """Take away a diagnosis template and all answers to it. Writes, needs and raises as `set_template`."""
    repository = context.repository(context.recorded(actor, Deed("remove template", name)))
    known = template_target(checked_name(name)) in repository.templates()
    if known:
        _change_template(context, repository, name, None, keys)
        log.info("template removed", template=name)
    _forget_strays(context, repository)
    if not known:
        raise no_template(name)


def _change_template(
    context: Context, repository: Repository, name: str, template: Template | None, keys: OfflineKeys
) -> None:
    now = context.clock.now()  # from then on, PCs may answer to the new one
    TEMPLATES.sign(repository, keys, name, template, now)
    with context.database() as database:
        database.forget_diagnoses(name, now)


def _forget_strays(context: Context, repository: Repository) -> None:
    """Forget answers to templates that are gone: a PC answered late, or a removal was interrupted."""
    now, names = context.clock.now(), template_names(repository)
    with context.database() as database:
        database.forget_other_diagnoses(names, now)
