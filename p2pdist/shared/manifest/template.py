"""A diagnosis template: a set of questions for every PC, whether or not anything is to be installed. Pure."""

from typing import Annotated, Literal

import msgspec

from p2pdist.shared.identifiers import InvalidIdentifierError, parse_template_name
from p2pdist.shared.manifest.documents import MAX_TITLE_CHARS
from p2pdist.shared.manifest.expression import MAX_EXPRESSION_CHARS, ExpressionError, parse_expression
from p2pdist.shared.manifest.recipe import (
    Checks,
)
from p2pdist.shared.manifest.recipe_checks import RecipeError, check_checks
from p2pdist.shared.wire import codec
from p2pdist.shared.wire.codec import DecodeError, Document, Record
from p2pdist.shared.wire.fields import MAX_TEMPLATE_ITEMS, Label

MAX_TEMPLATE_BYTES = 64 << 10  # every PC of every site fetches it; 50 items of a kilobyte
MAX_TEMPLATES = 50  # per server; every PC evaluates all of them
TEMPLATES_PREFIX = "templates/"

Expression = Annotated[str, msgspec.Meta(max_length=MAX_EXPRESSION_CHARS)]


class TemplateItem(Record, frozen=True):
    """One question: does the PC need ``label``? It does if ``expression`` holds or one of ``checks`` does not."""

    label: Label
    """What is needed, for people; unique within the template."""
    applies_to: Expression = ""
    """An expression for the PCs that are asked; empty: every PC."""
    expression: Expression = ""
    """Such as ``package("openssl") < version("3.0.17")``; empty: the checks alone decide."""
    checks: Checks = ()
    """All of these hold on a PC that does not need it."""


class Template(Document, frozen=True):
    """A named set of questions. Signed by the offline ``patches`` role."""

    format: Literal[1]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
    title: Annotated[str, msgspec.Meta(max_length=MAX_TITLE_CHARS)]
    items: Annotated[tuple[TemplateItem, ...], msgspec.Meta(min_length=1, max_length=MAX_TEMPLATE_ITEMS)]


def template_target(name: str) -> str:
    """Return the TUF target path of a template."""
    return TEMPLATES_PREFIX + name


def encode_template(template: Template) -> bytes:
    """Return the template as a TUF target's bytes."""
    return codec.encode(template)


def decode_template(data: bytes) -> Template:
    """Return a checked template. Raises `DecodeError`, also for questions that no PC could answer."""
    template: Template = codec.decode(data, Template, max_bytes=MAX_TEMPLATE_BYTES)
    try:
        check_template(template)
    except (InvalidIdentifierError, RecipeError) as error:
        raise DecodeError(str(error)) from error
    return template


def check_template(template: Template) -> None:
    """Raise `RecipeError` or `InvalidIdentifierError` for faults that the types alone do not exclude."""
    parse_template_name(template.name)
    if not template.title.isprintable():
        raise RecipeError("title", "it has a character that cannot be printed")
    labels: set[str] = set()
    for number, item in enumerate(template.items, 1):
        where = f"item {number}"
        if not item.label.isprintable() or not item.label.strip():
            raise RecipeError(f"{where}, label", "a label is one line of text")
        if item.label in labels:
            raise RecipeError(f"{where}, label", f"{item.label!r} is there twice")
        labels.add(item.label)
        for key, text in (("applies_to", item.applies_to), ("expression", item.expression)):
            if text:
                _check_expression(f"{where}, {key}", text)
        if not item.expression and not item.checks:
            raise RecipeError(where, "it asks nothing; add an expression, or checks")
        check_checks(f"{where}, checks", item.checks)


def _check_expression(where: str, text: str) -> None:
    try:
        parse_expression(text)
    except ExpressionError as error:
        raise RecipeError(where, str(error)) from error
