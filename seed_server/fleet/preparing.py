"""Operations that are signed on other machines: each writes a bundle to be signed, `finish` puts it in force.

They change as little as `operations` does: until it is finished, a bundle has no effect. Blocking.
"""

import contextlib
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Literal

import msgspec

from p2pdist.shared.errors import UserError
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.shared.manifest.approvers import APPROVERS_TARGET, encode_approvers
from p2pdist.shared.manifest.recalls import RECALLS_TARGET
from p2pdist.shared.manifest.servers import SERVERS_TARGET, decode_servers, encode_servers
from p2pdist.shared.manifest.site_profile import SiteProfile, decode_site_profile
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATES,
    TEMPLATES_PREFIX,
    Template,
    encode_template,
    template_target,
)
from p2pdist.shared.wire.codec import DecodeError
from seed_server.fleet import rolling_back
from seed_server.fleet.actor import Actor
from seed_server.fleet.approver_list import approvers_in
from seed_server.fleet.audit_key import anchor_documents, make_anchor
from seed_server.fleet.audit_log import DROP_PREPARED, PREPARE, Deed
from seed_server.fleet.context import Context
from seed_server.fleet.moving import addresses_after, own_address
from seed_server.fleet.operation import operation, require
from seed_server.fleet.queries import no_profile, no_template
from seed_server.fleet.roles import WHOLE_FLEET, Area, Permission, Reach
from seed_server.fleet.rollout_announcing import announce_from
from seed_server.fleet.rollout_operations import abort_withdrawn
from seed_server.publishing import prepared
from seed_server.publishing.examination import Publication
from seed_server.publishing.prepared import Finished, OnSmaller
from seed_server.publishing.publish import OnStage
from seed_server.signing.bins import PATCHES_FAMILY, PATCHES_ROLE
from seed_server.signing.bundle import Bundle, encode_bundle, read_bundle, write_bundle
from seed_server.signing.key_files import read_public_key
from seed_server.signing.offers import checked_reason, parse_named
from seed_server.signing.prepared_bundles import manifests_in
from seed_server.signing.profiles import PROFILES, checked_site, profile_in_file, read_profiles
from seed_server.signing.proposals import KeyChange, Preparation
from seed_server.signing.servers import AddressChange, takes_back
from seed_server.signing.templates import TEMPLATES, checked_name, new_template, template_names
from seed_server.store.moved_mark import check_takes_changes, take_back

MOST_IN_PURPOSE = 3  # of the sites and templates in the purpose of a bundle, which is one line

log = lazy_log()


@operation("publish")
def prepare_publication(
    context: Context,
    actor: Actor,
    publication: Publication,
    to: Path,
    *,
    on_progress: OnStage = lambda *_: None,
    on_smaller: OnSmaller = lambda *_: None,
    by_rings: bool = False,
) -> Bundle:
    """Copy and hash a patch, and write the bundle ``to`` be signed. Needs no offline key; nothing is announced.

    ``by_rings``: when it is finished, it waits for `rollout_operations.start_rollout`. ``on_smaller`` as in
    `prepared.prepare`. Writes payloads. Raises `UserError`: BAD_INPUT, NOT_SET_UP, REFUSED, STORAGE, BUSY.
    """
    bundle = prepared.prepare(
        context.home,
        publication,
        actor=str(actor),
        clock=context.clock,
        announced=_announced(context, actor, PREPARE),
        on_progress=on_progress,
        on_smaller=on_smaller,
        by_rings=by_rings,
    )
    return _written(context, actor, bundle, to)


@operation("withdraw")
def prepare_withdrawal(context: Context, actor: Actor, patch: str, reason: str, to: Path) -> Bundle:
    """Write a bundle ``to`` offer a patch to nobody any more, for good. Raises as `prepare_publication`."""
    named, why, repository = parse_named(patch), checked_reason(reason), context.repository()
    # says so where there is nothing to withdraw
    repository.rollouts_without(named, why, for_good=True, now=context.clock.now())
    preparation = _preparation(context, actor, f"withdraw {patch}")
    changes = repository.withdrawal(named)
    bundle = repository.proposals().propose_documents(preparation, "patches", changes, withdraws=patch, reason=why)
    return _kept(context, actor, bundle, to)


@operation("withdraw")
def prepare_roll_back(
    context: Context,
    actor: Actor,
    patch: str,
    reason: str,
    to: Path,
    *,
    site: str | None = None,
    ring: str | None = None,
) -> Bundle:
    """Write a bundle ``to`` have PCs go back, as `rolling_back.roll_back`. Raises as this, and `prepare_publication`.

    When it is finished, it is withdrawn there, too; until then it is offered as before.
    """
    going = rolling_back.going_back(context, patch, reason, site=site, ring=ring)
    where = f" at {site}" if site is not None else f" from ring {ring} on" if ring is not None else ""
    preparation = _preparation(context, actor, f"roll back {going.manifest.ref}{where}")
    withdraws = str(going.manifest.ref) if going.for_good else ""
    bundle = context.repository().proposals().propose_documents(
        preparation, "patches", going.documents, withdraws=withdraws, reason=going.recall.reason
    )  # fmt: skip
    return _kept(context, actor, bundle, to)


@operation("keys")
def prepare_renewal(context: Context, actor: Actor, to: Path, *, after_restore: bool = False) -> Bundle:
    """Write a bundle ``to`` sign the offline metadata anew, content unchanged. Raises as `prepare_publication`.

    ``after_restore`` as in `operations.renew`.
    """
    preparation = _preparation(context, actor, "renew the offline metadata")
    bundle = context.repository().proposals().propose_renewal(preparation, young_too=after_restore)
    return _kept(context, actor, bundle, to)


@operation("profiles", reach=None)
def prepare_profile(context: Context, actor: Actor, site: str, file: Path | None, to: Path) -> Bundle:
    """Write a bundle ``to`` set the throttle profile of ``site``; without ``file``, to clear it.

    Raises as `prepare_publication`.
    """
    name = checked_site(site)
    require(context, actor, "profiles", (Area(site=name),))
    if file is None and name not in read_profiles(context.repository()):
        raise no_profile(name)
    change = {str(name): None if file is None else profile_in_file(file, site)}
    purpose = f"clear the profile of {name}" if file is None else f"set the profile of {site}"
    return _prepare_documents(context, actor, purpose, "profiles", PROFILES.targets(change), to)


@operation("profiles", reach=None)
def prepare_profiles(context: Context, actor: Actor, profiles: Mapping[str, SiteProfile | None], to: Path) -> Bundle:
    """Write a bundle ``to`` set the throttle profiles of several sites, and clear those that are None.

    Raises as `prepare_publication`.
    """
    require(context, actor, "profiles", tuple(Area(site=site) for site in profiles))
    named = _named(profiles)
    purpose = f"change the profiles of {named}"
    return _prepare_documents(context, actor, purpose, "profiles", PROFILES.targets(profiles), to)


@operation("templates")
def prepare_template(context: Context, actor: Actor, name: str, file: Path | None, to: Path) -> Bundle:
    """Write a bundle ``to`` set the diagnosis template ``name``; without ``file``, to remove it.

    Raises as `prepare_publication`.
    """
    repository, target = context.repository(), template_target(checked_name(name))
    if file is not None:
        document = encode_template(new_template(repository, name, file, MAX_TEMPLATES))
        return _prepare_documents(context, actor, f"set the template {name}", "patches", {target: document}, to)
    if target not in repository.templates():
        raise no_template(name)
    return _prepare_documents(context, actor, f"remove the template {name}", "patches", {target: None}, to)


@operation("templates")
def prepare_templates(context: Context, actor: Actor, templates: Mapping[str, Template | None], to: Path) -> Bundle:
    """Write a bundle ``to`` set several diagnosis templates, and remove those that are None.

    Raises as `prepare_publication`.
    """
    named = _named(templates)
    purpose = f"change the templates {named}"
    return _prepare_documents(context, actor, purpose, "patches", TEMPLATES.targets(templates), to)


@operation("keys")
def prepare_keys(
    context: Context,
    actor: Actor,
    role: Literal["patches", "profiles"],
    to: Path,
    *,
    add: Sequence[Path] = (),
    remove: Sequence[str] = (),
    threshold: int | None = None,
) -> Bundle:
    """Write a bundle ``to`` change which keys sign ``role``, and how many of them must (None: as many as before).

    ``add`` names files of public keys, ``remove`` ids of keys. Raises as `prepare_publication`.
    """
    change = KeyChange(role, tuple(map(read_public_key, add)), tuple(remove), threshold)
    preparation = _preparation(context, actor, f"change the keys of {role}")
    bundle = context.repository().proposals().propose_keys(preparation, change)
    return _kept(context, actor, bundle, to)


@operation("keys")
def prepare_approvers(context: Context, actor: Actor, file: Path | None, to: Path) -> Bundle:
    """Write a bundle ``to`` set the list of approvers in ``file``; without it, to have none.

    Raises as `prepare_publication`.
    """
    approvers = approvers_in(context, file)
    change = {APPROVERS_TARGET: None if approvers is None else encode_approvers(approvers)}
    return _prepare_documents(context, actor, "change the list of approvers", "patches", change, to)


@operation("profiles", when_left=True)
def prepare_addresses(context: Context, actor: Actor, change: AddressChange, to: Path, *, even_if: int = 0) -> Bundle:
    """Write a bundle ``to`` tell PCs the server's addresses after ``change``; ``even_if`` as in `change_addresses`.

    Raises as `prepare_publication`.
    """
    documents = {SERVERS_TARGET: encode_servers(addresses_after(context, change, even_if))}
    return _prepare_documents(context, actor, change.purpose, "profiles", documents, to)


@operation("look", reach=None, when_left=True)
def finish(context: Context, actor: Actor, file: Path, *, offered: bool = True) -> Finished:
    """Put in force what was prepared here and is signed in ``file``; a running server uses it at once.

    Not ``offered``: a patch in it waits for `rollout_operations.start_rollout`. Needs the right that its preparation
    needed. Writes database and repository. Raises `UserError`: BAD_INPUT, REFUSED for missing signatures and for a
    repository that has changed since, NOT_SET_UP, STORAGE, BUSY; then nothing is announced.
    """
    context.settings()
    begun, given = context.clock.now(), read_bundle(file)
    own = prepared.kept(context.home, given.bundle_id)
    require(context, actor, *_right_for(own))
    if not (cancels := _cancels_move(context, own)):
        check_takes_changes(context.home)
    deed = _deed("finish", own)
    deed.details["prepared by"] = own.prepared_by
    recorder = context.recorded(actor, deed)
    finished = prepared.finish(context.home, given, clock=context.clock, offered=offered, recorder=recorder)
    if cancels:
        take_back(context.home)
    _forget_answers(context, finished.bundle, begun)
    if own.withdraws and abort_withdrawn(context, actor, parse_named(own.withdraws), own.reason):
        announce_from(context, context.repository(context.settling()))
    for recall in rolling_back.recalls_in(own):
        try:
            rolling_back.close_where_it_goes_back(context, actor, recall)
        except UserError as error:  # it is in force, and by it PCs install nothing of this
            log.warning("PCs go back, but it is offered there still", patch=recall.patch_id, reason=error.message)
    return finished


@operation("look", reach=None, when_left=True)
def drop_prepared(context: Context, actor: Actor, bundle_id: str) -> Bundle:
    """Forget a bundle that waits for signatures, and its payload; needs the right that its preparation needed.

    Raises `UserError`: BAD_INPUT, STORAGE, BUSY.
    """
    context.settings()
    own = prepared.kept(context.home, bundle_id)
    require(context, actor, *_right_for(own))
    return prepared.drop(context.home, bundle_id, _announced(context, actor, DROP_PREPARED), clock=context.clock)


def _named(names: Collection[str]) -> str:
    """Return what a bundle is about, for people: some names, and how many there are."""
    some = ", ".join(sorted(names)[:MOST_IN_PURPOSE])
    return some if len(names) <= MOST_IN_PURPOSE else f"{some}, … ({len(names)} in all)"


def _prepare_documents(
    context: Context,
    actor: Actor,
    purpose: str,
    role: Literal["patches", "profiles"],
    documents: Mapping[str, bytes | None],
    to: Path,
) -> Bundle:
    bundle = context.repository().proposals().propose_documents(_preparation(context, actor, purpose), role, documents)
    return _kept(context, actor, bundle, to)


def _kept(context: Context, actor: Actor, bundle: Bundle, to: Path) -> Bundle:
    prepared.keep(context.home, bundle, _announced(context, actor, PREPARE))
    return _written(context, actor, bundle, to)


def _written(context: Context, actor: Actor, bundle: Bundle, to: Path) -> Bundle:
    """Write a bundle that is kept ``to`` a file; where that fails, it is dropped again."""
    try:
        write_bundle(to, bundle)
    except UserError as error:
        dropped = _announced(context, actor, DROP_PREPARED, reason=error.message)
        prepared.drop(context.home, bundle.bundle_id, dropped, clock=context.clock)
        raise
    return bundle


def _announced(context: Context, actor: Actor, operation_name: str, *, reason: str = "") -> prepared.Announced:
    def announced(bundle: Bundle) -> contextlib.AbstractContextManager[None]:
        return context.announced(actor, _deed(operation_name, bundle, reason=reason))

    return announced


def _deed(operation_name: str, bundle: Bundle, *, reason: str = "") -> Deed:
    patches = [str(manifest.ref) for manifest in manifests_in(bundle)] or [bundle.withdraws]
    right, _reach = _right_for(bundle)
    return Deed(
        operation_name,
        bundle.purpose,
        reason=reason,
        details={"bundle": bundle.bundle_id, "patch": patches[0]},
        after=encode_bundle(bundle) if operation_name == PREPARE else None,
        right=right,
    )


def _preparation(context: Context, actor: Actor, purpose: str) -> Preparation:
    return Preparation(purpose, str(actor), context.clock.now())


@operation("keys")
def prepare_audit_key(context: Context, actor: Actor, reason: str, to: Path, *, after_restore: bool = False) -> Bundle:
    """Make another audit key, and write a bundle ``to`` have PCs know the log by it; as `audit_key.new_audit_key`.

    Until that is finished, PCs are told nothing more of the log. Raises as `prepare_publication`.
    """
    why = checked_reason(reason)
    anchor = make_anchor(context, actor, context.repository(), why, after_restore=after_restore)
    return _prepare_documents(context, actor, "sign the audit key", "patches", anchor_documents(anchor), to)


def _right_for(bundle: Bundle) -> tuple[Permission, Reach]:
    """Return what whoever prepared a bundle needed; where that cannot be told, the right that fewest have."""
    if bundle.withdraws:
        return "withdraw", WHOLE_FLEET
    if set(bundle.proposed) == {"profiles"}:
        return "profiles", _profiled(bundle) or WHOLE_FLEET
    if set(bundle.proposed) <= PATCHES_FAMILY:
        if manifests_in(bundle):
            return "publish", WHOLE_FLEET
        changed = bundle.documents.keys() | _removed(bundle)
        if changed == {RECALLS_TARGET}:
            return "withdraw", WHOLE_FLEET
        if changed and all(name.startswith(TEMPLATES_PREFIX) for name in changed):
            return "templates", WHOLE_FLEET
    return "keys", WHOLE_FLEET


def _cancels_move(context: Context, bundle: Bundle) -> bool:
    document = bundle.documents.get(SERVERS_TARGET)
    if document is None:
        return False
    return takes_back(context.repository().servers(), own_address(context.settings()), decode_servers(document))


def _removed(bundle: Bundle) -> set[str]:
    """Return what `patches` itself lists no more: templates, or the list of approvers."""
    before, after = (
        set[str]() if data is None else set(msgspec.json.decode(data)["signed"]["targets"])
        for data in (bundle.current.get(PATCHES_ROLE), bundle.proposed.get(PATCHES_ROLE))
    )
    return before - after


def _profiled(bundle: Bundle) -> Reach:
    """Return the sites whose profiles a bundle sets; none: it clears one, or cannot be read."""
    try:
        return tuple(Area(site=decode_site_profile(data).site) for data in bundle.documents.values())
    except DecodeError:
        return ()


def _forget_answers(context: Context, bundle: Bundle, before: float) -> None:
    """Forget the answers from before a time to templates that are changed or gone."""
    changed = [name.removeprefix(TEMPLATES_PREFIX) for name in bundle.documents if name.startswith(TEMPLATES_PREFIX)]
    with context.database() as database:
        for name in changed:
            database.forget_diagnoses(name, before)
        database.forget_other_diagnoses(template_names(context.repository()), before)
