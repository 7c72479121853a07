"""Diagnosis templates: read from TOML, signed, and what the fleet has answered. Blocking."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import msgspec
import structlog

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import InvalidIdentifierError, parse_template_name
from p2pdist.shared.manifest.documents import MAX_TITLE_CHARS, DecodeError
from p2pdist.shared.manifest.recipe import RecipeError
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATE_BYTES,
    MAX_TEMPLATES,
    TEMPLATES_PREFIX,
    Template,
    TemplateItem,
    check_template,
    decode_template,
    encode_template,
    template_target,
)
from p2pdist.shared.toml_config import parse_toml_file, path_of_place
from p2pdist.shared.wire.codec import Record
from p2pdist.shared.wire.messages import MAX_TEMPLATE_ITEMS
from seed_server.settings import ServerHome, load_settings
from seed_server.signing.key_files import load_offline_key
from seed_server.signing.repository import Repository
from seed_server.store.database import Database, EndpointRow
from seed_server.store.schema import DiagnosisRow

log = structlog.get_logger()


class TemplateFile(Record, frozen=True):
    """A template as people write it, in TOML."""

    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)]
    item: Annotated[tuple[TemplateItem, ...], msgspec.Meta(min_length=1, max_length=MAX_TEMPLATE_ITEMS)]


@dataclass(frozen=True)
class TemplateSigner:
    """Whose key signs, and where it is."""

    home: ServerHome
    offline_keys: Path | None
    passphrase: bytes | None

    def change(self, repository: Repository, name: str, document: bytes | None) -> None:
        """Sign a template, or that there is none of this name any more; answers to the one before are forgotten."""
        key = load_offline_key(self.offline_keys or self.home.offline_keys, "patches", self.passphrase)
        repository.change_template(template_target(name), document, patches_key=key, now=time.time())
        with Database.open(self.home.database) as database:
            database.forget_diagnoses(name)

    def forget_strays(self, repository: Repository) -> None:
        """Forget answers to what is no template: of a PC that was late, or where a removal was cut short."""
        with Database.open(self.home.database) as database:
            database.forget_other_diagnoses(template_names(repository))


@dataclass(frozen=True)
class Findings:
    """A template, and what each PC has said to it."""

    template: Template
    endpoints: list[EndpointRow]
    rows: list[DiagnosisRow]
    """To items of the template alone."""

    def of_item(self, label: str) -> list[DiagnosisRow]:
        """Return the answers to one item."""
        return [row for row in self.rows if row.label == label]


def read_file(file: Path, name: str) -> Template:
    """Return the template in a TOML file. Raises `UserError` (BAD_INPUT) that names what is wrong."""
    text = read_given_text("template", file, MAX_TEMPLATE_BYTES, "split it.")
    parsed = parse_toml_file(text, TemplateFile, source=str(file))
    template = Template(format=1, name=checked_name(name), title=parsed.value.title, items=parsed.value.item)
    try:
        check_template(template)
    except RecipeError as error:
        raise parsed.error(f"{error}. Correct it and try again.", *path_of_place(error.where)) from error
    if len(encode_template(template)) > MAX_TEMPLATE_BYTES:
        raise UserError(f"{file}: the template is over {MAX_TEMPLATE_BYTES} bytes. Split it.", FaultKind.BAD_INPUT)
    return template


def set_template(signer: TemplateSigner, name: str, file: Path) -> Template:
    """Sign ``file`` as the template ``name``. Raises `UserError`: BAD_INPUT, REFUSED (key), STORAGE, BUSY."""
    template = read_file(file, name)
    repository = Repository.open(signer.home, load_settings(signer.home))
    known = read_templates(repository)
    if name not in known and len(known) >= MAX_TEMPLATES:
        raise UserError(
            f"There are {MAX_TEMPLATES} templates already, and a PC takes no more. Remove one first.",
            FaultKind.BAD_INPUT,
        )
    # signing the same again would forget answers that PCs have no reason to repeat
    if known.get(name) != template:
        signer.change(repository, name, encode_template(template))
    signer.forget_strays(repository)
    return template


def remove_template(signer: TemplateSigner, name: str) -> None:
    """Take away a template and all answers to it. Raises `UserError`, also when there is none."""
    repository = Repository.open(signer.home, load_settings(signer.home))
    known = template_target(checked_name(name)) in repository.templates()
    if known:
        signer.change(repository, name, None)
    signer.forget_strays(repository)
    if not known:
        raise _unknown(name)


def read_templates(repository: Repository) -> dict[str, Template]:
    """Return every template by its name; one that this version cannot use is left out, and told."""
    found: dict[str, Template] = {}
    for target, data in sorted(repository.templates().items()):
        try:
            template = decode_template(data)
        except DecodeError as error:  # signed by another version of this program
            log.error("a signed template is not usable", target=target, reason=str(error))  # noqa: TRY400
            continue
        if template_target(template.name) == target:
            found[template.name] = template
    return found


def template_names(repository: Repository) -> frozenset[str]:
    """Return the name of every signed template, also of one that this version cannot use. Raises `UserError`."""
    return frozenset(target.removeprefix(TEMPLATES_PREFIX) for target in repository.templates())


def read_findings(home: ServerHome, name: str) -> Findings:
    """Return a template and what the fleet has said to it. Raises `UserError`."""
    template = read_templates(Repository.open(home, load_settings(home))).get(checked_name(name))
    if template is None:
        raise _unknown(name)
    labels = {item.label for item in template.items}
    with Database.open(home.database) as database:
        rows = [row for row in database.diagnoses(name) if row.label in labels]  # first: every endpoint is known
        return Findings(template, database.endpoints(), rows)


def checked_name(name: str) -> str:
    """Return a template's name. Raises `UserError` (BAD_INPUT)."""
    try:
        return parse_template_name(name)
    except InvalidIdentifierError as error:
        raise UserError(str(error), FaultKind.BAD_INPUT) from error


def _unknown(name: str) -> UserError:
    return UserError(
        f"There is no template {name[:80]!r}. 'seed-server template list' lists them.", FaultKind.BAD_INPUT
    )
