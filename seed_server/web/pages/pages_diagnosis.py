"""The pages *diagnosis*, its draft, and *bundles*: what PCs are asked, how many need what, and what is to be signed.

No offline key comes over the network: a template is checked and prepared here, signed elsewhere, and handed in.
"""

import tempfile
from pathlib import Path
from typing import Annotated, Any

from msgspec import Meta

from p2pdist.shared.language import tr
from p2pdist.shared.manifest.template import MAX_TEMPLATE_BYTES, Template
from seed_server.automation.declared_export import template_text
from seed_server.fleet import preparing
from seed_server.fleet.context import Context
from seed_server.fleet.diagnosis_counts import PcAnswer, count_answers, read_answering
from seed_server.fleet.queries import read_all_templates, read_prepared, read_role_keys
from seed_server.signing.bundle import encode_bundle
from seed_server.signing.prepared_bundles import PreparedBundles
from seed_server.signing.templates import template_in_text
from seed_server.web.api.given import Body, Given, GivenNumber, MaybeName, Name, Named, WithId
from seed_server.web.api.paging import Limit
from seed_server.web.api.route import Nothing
from seed_server.web.frame.addresses import address_of, path_to
from seed_server.web.frame.page import BINARY_MEDIA, LIST_ROWS, Asked, Done, FileAnswer, Form, Page, Sent, Shown
from seed_server.web.pages.drafts import Draft, draft_of

MAX_DIAGNOSIS_FORM_BYTES = 9 * MAX_TEMPLATE_BYTES  # a sign of Japanese is sent as nine
_DRAFT_NAME = "draft"
_FIRST_DRAFT = """title = "Which PCs still have the old library"

[[item]]
label = "openssl 3.0.17"
expression = 'package("openssl") < version("3.0.17")'
"""
_PREPARING = "seed_server.fleet.preparing."


def _diagnosis(asked: Asked[Named]) -> Shown:
    found = count_answers(asked.context, asked.given.name)
    return Shown(found.template.title or found.template.name, {"found": found, "text": template_text(found.template)})


class OfAnswers(Given, frozen=True):
    """Which PCs: those behind one number."""

    name: Name
    item: Annotated[MaybeName, Meta(description="An item of the template; empty: the first one.")] = ""
    answer: Annotated[PcAnswer, Meta(description="What they have answered.")] = "needed"
    limit: Limit = LIST_ROWS
    after: GivenNumber = 0


def _answers(asked: Asked[OfAnswers]) -> Shown:
    given = asked.given
    found = read_answering(
        asked.context, given.name, given.item, given.answer, most=given.limit, after=given.after
    )  # fmt: skip
    kinds: tuple[tuple[str, PcAnswer], ...] = (
        (tr("Need it"), "needed"),
        (tr("Do not need it"), "not_needed"),
        (tr("Not for them"), "not_applicable"),
        (tr("No answer yet"), "unanswered"),
    )
    place = f"{path_to('diagnosis', given.name)}/pcs"
    tabs = [
        (words, address_of(place, item=found.item.label, answer=answer), answer == given.answer)
        for words, answer in kinds
    ]
    return Shown(found.item.label, {"found": found, "tabs": tabs, "next": found.after})


# --- a draft -----------------------------------------------------------------------------


class OfDiagnosisDraft(Given, frozen=True):
    """With what the text begins."""

    start: Annotated[MaybeName, Meta(description="A template to begin with.")] = ""


class DiagnosisDraft(Body, frozen=True):
    """A template as somebody types it."""

    text: Annotated[str, Meta(max_length=MAX_TEMPLATE_BYTES)] = ""
    name: Annotated[MaybeName, Meta(description="Of the template.")] = ""


def checked_diagnosis(text: str, name: str) -> Draft[Template]:
    """Return what a text says, or all that is wrong, as `template lint` finds it."""
    return draft_of(
        text, MAX_TEMPLATE_BYTES, lambda one: template_in_text(one, name or _DRAFT_NAME, source=_DRAFT_NAME)
    )


def _draft_values(context: Context, text: str, name: str) -> dict[str, Any]:
    names = [one.name for one in read_all_templates(context)]
    return {"text": text, "name": name, "draft": checked_diagnosis(text, name), "there": name in names}


def _draft(asked: Asked[OfDiagnosisDraft]) -> Shown:
    start = asked.given.start
    known = next((one for one in read_all_templates(asked.context) if one.name == start), None)
    text = _FIRST_DRAFT if known is None else template_text(known)
    return Shown(tr("Ask PCs"), _draft_values(asked.context, text, "" if known is None else known.name))


def _check(sent: Sent[Nothing, DiagnosisDraft]) -> Shown:
    return Shown(tr("Ask PCs"), _draft_values(sent.context, sent.body.text, sent.body.name.strip()))


def _prepare(sent: Sent[Nothing, DiagnosisDraft]) -> Shown | Done:
    name = sent.body.name.strip()
    if checked_diagnosis(sent.body.text, name).value is None:
        return _check(sent)
    return _prepared(sent, name, sent.body.text)


class RemovedDiagnosis(Body, frozen=True):
    """A template that goes."""

    name: Name


def _prepare_removal(sent: Sent[Nothing, RemovedDiagnosis]) -> Done:
    return _prepared(sent, sent.body.name, None)


def _prepared(sent: Sent[Nothing, Any], name: str, text: str | None) -> Done:
    """Prepare that a template is set, or removed (None); the home keeps the bundle, the copy goes."""
    with tempfile.TemporaryDirectory(prefix="seed-server-") as folder:
        file = None if text is None else Path(folder, "template.toml")
        if file is not None and text is not None:
            file.write_text(text, encoding="utf-8")
        bundle = preparing.prepare_template(sent.context, sent.actor, name, file, Path(folder, "copy.bundle"))
    said = tr("Prepared as {bundle}. PCs are told nothing before it is signed and handed in.", bundle=bundle.bundle_id)
    return Done("/bundles", said)


# --- bundles -----------------------------------------------------------------------------


def _bundles(asked: Asked[Nothing]) -> Shown:
    values = {"bundles": read_prepared(asked.context), "keys": read_role_keys(asked.context)}
    return Shown(tr("To be signed"), values)


def _bundle_file(asked: Asked[WithId]) -> FileAnswer:
    bundle = PreparedBundles(asked.context.home).get(asked.given.id)
    return FileAnswer(f"{bundle.bundle_id}.bundle", BINARY_MEDIA, encode_bundle(bundle))


def _drop(sent: Sent[WithId, Nothing]) -> Done:
    bundle = preparing.drop_prepared(sent.context, sent.actor, sent.given.id)
    return Done("/bundles", tr("The bundle {bundle} is forgotten.", bundle=bundle.bundle_id))


DIAGNOSIS_PAGES = (
    Page("/diagnosis", "diagnosis_draft", _draft, OfDiagnosisDraft),
    Page("/diagnosis/{name}", "diagnosis", _diagnosis, Named),
    Page("/diagnosis/{name}/pcs", "diagnosis_pcs", _answers, OfAnswers),
    Page("/bundles", "bundles", _bundles, Nothing, live=("signing",)),
    Page("/bundles/{id}/file", "bundle_file", _bundle_file, WithId),
)
DIAGNOSIS_FORMS = (
    Form("/diagnosis", "check-diagnosis", _check, Nothing, DiagnosisDraft, "", "diagnosis_draft",
         most_bytes=MAX_DIAGNOSIS_FORM_BYTES),
    Form("/diagnosis/prepare", "prepare-diagnosis", _prepare, Nothing, DiagnosisDraft, f"{_PREPARING}prepare_template",
         "diagnosis_draft", most_bytes=MAX_DIAGNOSIS_FORM_BYTES),
    Form("/diagnosis/remove", "prepare-diagnosis-removal", _prepare_removal, Nothing, RemovedDiagnosis,
         f"{_PREPARING}prepare_template", "diagnosis_draft"),
    Form("/bundles/{id}/drop", "drop-bundle", _drop, WithId, Nothing, f"{_PREPARING}drop_prepared", "bundles"),
)  # fmt: skip
