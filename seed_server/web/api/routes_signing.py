"""Routes over what is signed: profiles, templates, keys, and bundles that wait for signatures of other machines.

No offline key and no passphrase comes over the network: a change that needs one is prepared here, its bundle is fetched
and signed elsewhere, and what is signed is handed in.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from seed_server.answers.bundles import BundleDocument, RoleKeysDocument
from seed_server.answers.operations import PostureCheckDocument
from seed_server.answers.signed import ProfileDocument, ProfileNameDocument, TemplateDocument, TemplateNameDocument
from seed_server.answers.signed_documents import bundle_document, findings_document
from seed_server.fleet import preparing, queries, rollout_queries
from seed_server.fleet.rollout_starting import start_published
from seed_server.signing.bundle import MAX_BUNDLE_BYTES, Bundle, encode_bundle
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.web.api.documents import BundleFileDocument
from seed_server.web.api.given import Body, FileText, Name, Named, NamedSite, Names, OnlyReason, WithId
from seed_server.web.api.paging import Page, Paged, page_of
from seed_server.web.api.route import API, ApiCall, Nothing, Raw, Route

MAX_JWS_CHARS = 20_000  # of `p2pdist.shared.statement_check`
DAY = 86_400
MAX_KEY_CHARS = 2_000
_SIGNED, _BUNDLES = "Signed documents", "Bundles"
_PREPARING = "seed_server.fleet.preparing."

KeyText = Annotated[str, Meta(min_length=1, max_length=MAX_KEY_CHARS, description="A public key, PEM.")]


# --- what is signed ----------------------------------------------------------------------


def _profiles(call: ApiCall[Paged, None]) -> Page[ProfileNameDocument]:
    return page_of(
        queries.read_all_profiles(call.context),
        call.given,
        lambda one: one.site,
        lambda one: ProfileNameDocument(site=one.site, name=one.profile().name),
    )


def _profile(call: ApiCall[NamedSite, None]) -> ProfileDocument:
    document = queries.read_profile(call.context, call.given.site)
    return ProfileDocument(site=document.site, name=document.profile().name, text=document.text)


def _templates(call: ApiCall[Paged, None]) -> Page[TemplateNameDocument]:
    return page_of(
        queries.read_all_templates(call.context),
        call.given,
        lambda one: one.name,
        lambda one: TemplateNameDocument(name=one.name, title=one.title, items=len(one.items)),
    )


def _template(call: ApiCall[Named, None]) -> TemplateDocument:
    return findings_document(queries.read_findings(call.context, call.given.name))


def _keys(call: ApiCall[Nothing, None]) -> Page[RoleKeysDocument]:
    found = queries.read_role_keys(call.context)
    return Page(tuple(RoleKeysDocument(one.role, one.threshold, one.keyids) for one in found), None)


class Stated(Body, frozen=True):
    """What a PC has signed of itself."""

    jws: Annotated[str, Meta(min_length=1, max_length=MAX_JWS_CHARS, description="As `p2pdist posture --json` has it.")]
    nonce: Annotated[str, Meta(max_length=200, description="What it has to carry.")] = ""
    audience: Annotated[str, Meta(max_length=200, description="Whom it has to be for.")] = ""
    max_age_seconds: Annotated[int, Meta(ge=1, le=DAY, description="How old it may be.")] = 300


def _posture(call: ApiCall[Nothing, Stated]) -> PostureCheckDocument:
    body = call.body
    statement = queries.check_posture(
        call.context, body.jws, longest_seconds=body.max_age_seconds, nonce=body.nonce, audience=body.audience
    )
    return PostureCheckDocument(**{one: getattr(statement, one) for one in PostureCheckDocument.__struct_fields__})


# --- bundles -----------------------------------------------------------------------------


def _bundles(call: ApiCall[Paged, None]) -> Page[BundleDocument]:
    return page_of(
        queries.read_prepared(call.context),
        call.given,
        lambda one: one.bundle.bundle_id,
        lambda one: bundle_document(one.bundle, "outdated" if one.outdated else "waiting"),
    )


def _bundle_file(call: ApiCall[WithId, None]) -> Raw:
    return Raw(encode_bundle(PreparedBundles(call.context.home).get(call.given.id)), "application/octet-stream")


def _prepared(prepare: Callable[[Path, Path], Bundle]) -> BundleDocument:
    """Return what ``prepare`` makes, which is given a folder for files and where to write a copy of the bundle.

    The home keeps the bundle; the copy goes.
    """
    with tempfile.TemporaryDirectory(prefix="seed-server-") as folder:
        return bundle_document(prepare(Path(folder), Path(folder) / "copy.bundle"), "waiting")


def _file(folder: Path, name: str, text: str | None) -> Path | None:
    if text is None:
        return None
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


class WithdrawingForGood(OnlyReason, frozen=True):
    """What is withdrawn for good."""

    patch: Name


def _prepare_withdrawal(call: ApiCall[Nothing, WithdrawingForGood]) -> BundleDocument:
    body = call.body
    return _prepared(
        lambda _, copy: preparing.prepare_withdrawal(call.context, call.actor, body.patch, body.reason, copy)
    )


class RollingBack(WithdrawingForGood, frozen=True):
    """What is rolled back, and where; without site and ring: everywhere, for good."""

    site: Name | None = None
    ring: Name | None = None


def _prepare_roll_back(call: ApiCall[Nothing, RollingBack]) -> BundleDocument:
    body = call.body
    return _prepared(
        lambda _, copy: preparing.prepare_roll_back(
            call.context, call.actor, body.patch, body.reason, copy, site=body.site, ring=body.ring
        )
    )


class OfflineRenewal(Body, frozen=True):
    """What is signed anew."""

    after_restore: Annotated[bool, Meta(description="All of it: PCs may have seen newer versions.")] = False


def _prepare_renewal(call: ApiCall[Nothing, OfflineRenewal]) -> BundleDocument:
    after = call.body.after_restore
    return _prepared(
        lambda _, copy: preparing.prepare_renewal(call.context, call.actor, copy, after_restore=after)
    )  # fmt: skip


class NewProfile(Body, frozen=True):
    """A site's throttle profile."""

    site: Name
    text: FileText | None = None
    """None: it is cleared."""


def _prepare_profile(call: ApiCall[Nothing, NewProfile]) -> BundleDocument:
    body = call.body
    return _prepared(
        lambda folder, copy: preparing.prepare_profile(
            call.context, call.actor, body.site, _file(folder, "profile.toml", body.text), copy
        )
    )


class NewTemplate(Body, frozen=True):
    """A diagnosis template."""

    name: Name
    text: FileText | None = None
    """None: it is removed."""


def _prepare_template(call: ApiCall[Nothing, NewTemplate]) -> BundleDocument:
    body = call.body
    return _prepared(
        lambda folder, copy: preparing.prepare_template(
            call.context, call.actor, body.name, _file(folder, "template.toml", body.text), copy
        )
    )


class NewKeys(Body, frozen=True):
    """Whose signatures count."""

    role: Literal["patches", "profiles"]
    add: Annotated[tuple[KeyText, ...], Meta(max_length=16)] = ()
    remove: Names = ()
    threshold: (
        Annotated[int, Meta(ge=1, le=16, description="How many signatures are needed; null: as many as now.")] | None
    ) = None


def _prepare_keys(call: ApiCall[Nothing, NewKeys]) -> BundleDocument:
    body = call.body

    def prepare(folder: Path, copy: Path) -> Bundle:
        added = [path for place, text in enumerate(body.add) if (path := _file(folder, f"{place}.pub", text))]
        return preparing.prepare_keys(
            call.context, call.actor, body.role, copy, add=added, remove=body.remove, threshold=body.threshold
        )

    return _prepared(prepare)


class NewAuditKey(OnlyReason, frozen=True):
    """Another key of the audit log."""

    after_restore: Annotated[bool, Meta(description="The log lacks entries that PCs have seen, and begins again.")] = (
        False
    )


def _prepare_audit_key(call: ApiCall[Nothing, NewAuditKey]) -> BundleDocument:
    body = call.body
    return _prepared(
        lambda _, copy: preparing.prepare_audit_key(
            call.context, call.actor, body.reason, copy, after_restore=body.after_restore
        )
    )


def _finish(call: ApiCall[Nothing, bytes]) -> BundleFileDocument:
    with tempfile.TemporaryDirectory(prefix="seed-server-") as folder:
        file = Path(folder) / "signed.bundle"
        file.write_bytes(call.body)
        template = rollout_queries.template_for(call.context, None, rollout_queries.bundled_cvss(file))
        finished = preparing.finish(call.context, call.actor, file, offered=template.template.at_once)
    started = None
    if finished.payloads:
        started = start_published(call.context, finished.payloads[0].ref, template, actor=call.actor)
    bundle = finished.bundle
    return BundleFileDocument(bundle.bundle_id, bundle.purpose, None if started is None else started.rollout.row.number)


def _drop(call: ApiCall[WithId, None]) -> BundleDocument:
    return bundle_document(preparing.drop_prepared(call.context, call.actor, call.given.id), "dropped")


_WHY = {"reason": "crashes on start"}
_KEY = "-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n"

SIGNING_ROUTES = (
    Route("GET", f"{API}/profiles", "listProfiles", "Sites that have a throttle profile", _profiles,
          Page[ProfileNameDocument], _SIGNED, Paged, commands=("profile show",)),
    Route("GET", f"{API}/profiles/{{site}}", "getProfile", "The throttle profile of a site", _profile,
          ProfileDocument, _SIGNED, NamedSite, commands=("profile show SITE",)),
    Route("GET", f"{API}/templates", "listTemplates", "Diagnosis templates", _templates, Page[TemplateNameDocument],
          _SIGNED, Paged, commands=("template list",)),
    Route("GET", f"{API}/templates/{{name}}", "getTemplate", "A template, and what PCs have answered", _template,
          TemplateDocument, _SIGNED, Named, commands=("template show",)),
    Route("GET", f"{API}/keys", "listKeys", "Whose signatures PCs trust, and how many are needed", _keys,
          Page[RoleKeysDocument], _SIGNED, Nothing, commands=("keys list",)),
    Route("POST", f"{API}/posture-check", "checkPosture", "Whether what a PC has signed of itself is to be believed",
          _posture, PostureCheckDocument, _SIGNED, Nothing, Stated, commands=("posture-check",),
          example={"jws": "eyJhbGciOiJFUzI1NiJ9…", "nonce": "5f0c2e"}),
    Route("GET", f"{API}/bundles", "listBundles", "Bundles that wait for signatures", _bundles, Page[BundleDocument],
          _BUNDLES, Paged, commands=("prepared",)),
    Route("GET", f"{API}/bundles/{{id}}/file", "getBundleFile", "The file to sign, for 'seed-server sign'",
          _bundle_file, Raw, _BUNDLES, WithId),
    Route("POST", f"{API}/bundles/withdrawal", "prepareWithdrawal", "Prepare to withdraw a patch for good",
          _prepare_withdrawal, BundleDocument, _BUNDLES, Nothing, WithdrawingForGood,
          operation=f"{_PREPARING}prepare_withdrawal", status=201, example={"patch": "acme@2.1", **_WHY}),
    Route("POST", f"{API}/bundles/roll-back", "prepareRollBack", "Prepare that PCs go back from a patch",
          _prepare_roll_back, BundleDocument, _BUNDLES, Nothing, RollingBack,
          operation=f"{_PREPARING}prepare_roll_back", status=201, example={"patch": "acme@2.1", **_WHY}),
    Route("POST", f"{API}/bundles/renewal", "prepareRenewal", "Prepare to sign the offline metadata anew",
          _prepare_renewal, BundleDocument, _BUNDLES, Nothing, OfflineRenewal, operation=f"{_PREPARING}prepare_renewal",
          status=201, example={}),
    Route("POST", f"{API}/bundles/profile", "prepareProfile", "Prepare a throttle profile; without text: to clear it",
          _prepare_profile, BundleDocument, _BUNDLES, Nothing, NewProfile,
          operation=f"{_PREPARING}prepare_profile", status=201, commands=("publish BUNDLE", "move BUNDLE"),
          example={"site": "oslo", "text": 'name = "office hours"\n'}),
    Route("POST", f"{API}/bundles/template", "prepareTemplate", "Prepare a template; without text: to remove it",
          _prepare_template, BundleDocument, _BUNDLES, Nothing, NewTemplate,
          operation=f"{_PREPARING}prepare_template", status=201, example={"name": "log4j"}),
    Route("POST", f"{API}/bundles/keys", "prepareKeys", "Prepare that other keys sign", _prepare_keys,
          BundleDocument, _BUNDLES, Nothing, NewKeys, operation=f"{_PREPARING}prepare_keys", status=201,
          example={"role": "patches", "add": [_KEY], "threshold": 2}),
    Route("POST", f"{API}/bundles/audit-key", "prepareAuditKey", "Make another audit key, and prepare that PCs know "
          "the log by it", _prepare_audit_key, BundleDocument, _BUNDLES, Nothing, NewAuditKey,
          operation=f"{_PREPARING}prepare_audit_key", status=201, example={"reason": "the server was stolen"}),
    Route("POST", f"{API}/bundles/finish", "finishBundle", "Put in force what was prepared here and is signed",
          _finish, BundleFileDocument, _BUNDLES, Nothing, bytes, operation=f"{_PREPARING}finish",
          commands=("finish BUNDLE",), most_body_bytes=MAX_BUNDLE_BYTES),
    Route("DELETE", f"{API}/bundles/{{id}}", "dropBundle", "Forget a bundle that waits for signatures", _drop,
          BundleDocument, _BUNDLES, WithId, operation=f"{_PREPARING}drop_prepared"),
)  # fmt: skip
"""The rows of the table that are about what is signed."""
