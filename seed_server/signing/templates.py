"""Diagnosis templates: read from TOML, and from what the repository has signed. Blocking."""

from pathlib import Path
from typing import Annotated

import msgspec

from p2pdist.shared.capped_files import read_given_text
from p2pdist.shared.errors import FaultKind, UserError
from p2pdist.shared.identifiers import given_name, parse_template_name
from p2pdist.shared.manifest.documents import MAX_TITLE_CHARS
from p2pdist.shared.manifest.recipe_checks import RecipeError
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATE_BYTES,
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
from p2pdist.shared.wire.fields import MAX_TEMPLATE_ITEMS
from seed_server.signing.documents import DocumentKind
from seed_server.signing.repository import Repository

TEMPLATES = DocumentKind[Template](
    role="patches",
    encode=encode_template,
    decode=decode_template,
    name_of=lambda template: template.name,
    target_of=template_target,
)


class TemplateFile(Record, frozen=True):
    """A template as people write it, in TOML."""

    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)]
    item: Annotated[tuple[TemplateItem, ...], msgspec.Meta(min_length=1, max_length=MAX_TEMPLATE_ITEMS)]


def template_in_file(file: Path, name: str) -> Template:
    """Return ``file`` as the template ``name``. Raises `UserError` (BAD_INPUT) that names what is wrong."""
    text = read_given_text("template", file, MAX_TEMPLATE_BYTES, "split it.")
    return template_in_text(text, name, source=str(file))


def template_in_text(text: str, name: str, *, source: str) -> Template:
    """Return ``text`` as the template ``name``; ``source`` is its file. Raises as `template_in_file`."""
    parsed = parse_toml_file(text, TemplateFile, source=source)
    template = Template(format=1, name=checked_name(name), title=parsed.value.title, items=parsed.value.item)
    try:
        check_template(template)
    except RecipeError as error:
        raise parsed.error(f"{error}. Correct it and try again.", *path_of_place(error.where)) from error
    if len(encode_template(template)) > MAX_TEMPLATE_BYTES:
        raise UserError(f"{source}: the template is over {MAX_TEMPLATE_BYTES} bytes. Split it.", FaultKind.BAD_INPUT)
    return template


def new_template(repository: Repository, name: str, file: Path, most: int) -> Template:
    """Return ``file`` as the template ``name``, of at most ``most``. Raises `UserError`, BAD_INPUT for one too many."""
    template, known = template_in_file(file, name), read_templates(repository)
    if name not in known and len(known) >= most:
        raise UserError(
            f"There are {most} templates already, and a PC takes no more. Remove one first.", FaultKind.BAD_INPUT
        )
    return template


def read_templates(repository: Repository) -> dict[str, Template]:
    """Return every template by its name, sorted; one that this version cannot use is left out and logged."""
    return TEMPLATES.read(repository.templates())


def template_names(repository: Repository) -> frozenset[str]:
    """Return the name of every signed template, including those that this version cannot use. Raises `UserError`."""
    return frozenset(target.removeprefix(TEMPLATES_PREFIX) for target in repository.templates())


def checked_name(name: str) -> str:
    """Return a template's name. Raises `UserError` (BAD_INPUT)."""
    return given_name(parse_template_name, name)
