"""`p2pdist.shared.manifest.template`: what survives the wire, and what is refused wherever it comes from."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from p2pdist.shared.manifest.documents import DecodeError
from p2pdist.shared.manifest.recipe import CommandCheck, FileCheck, PackageCheck, UnitCheck
from p2pdist.shared.manifest.template import (
    MAX_TEMPLATE_BYTES,
    Template,
    TemplateItem,
    decode_template,
    encode_template,
)
from p2pdist.shared.wire import codec

ITEM = TemplateItem(
    label="OpenSSL below 3.0.17",
    applies_to='os.family == "debian"',
    expression='package("openssl") < version("3.0.17")',
)
CHECKS = (
    PackageCheck(name="acme", at_least="2.1"),
    FileCheck(path="/etc/acme.conf", sha256="ab" * 32),
    CommandCheck(command=("/bin/true",)),
    UnitCheck(unit="acme.service"),
)
TEMPLATE = Template(format=1, name="december", title="OpenSSL of December", items=(ITEM,))


def changed(**fields: Any) -> Template:
    return msgspec.structs.replace(TEMPLATE, **fields)


def with_item(**fields: Any) -> Template:
    return changed(items=(msgspec.structs.replace(ITEM, **fields),))


@pytest.mark.parametrize(
    "template",
    [
        TEMPLATE,
        with_item(expression="", checks=CHECKS),
        with_item(applies_to="", checks=CHECKS),
        changed(items=tuple(TemplateItem(label=f"kiosk {n}", expression='"kiosk" in tags') for n in range(50))),
        changed(name="n" * 64, title=""),
    ],
)
def test_a_template_survives_the_wire(template: Template) -> None:
    assert decode_template(encode_template(template)) == template


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (changed(name="../x"), "template name"),
        (changed(name="n" * 65), "length <= 64"),
        (changed(title="a\nb"), "title"),
        (changed(format=2), "format|invalid"),
        (changed(items=()), "length >= 1"),
        (changed(items=tuple(msgspec.structs.replace(ITEM, label=str(n)) for n in range(51))), "length <= 50"),
        (changed(items=(ITEM, ITEM)), "there twice"),
        (with_item(label="a\x1b[31mb"), "one line"),
        (with_item(label=" "), "one line"),
        (with_item(label="l" * 81), "length <= 80"),
        (with_item(applies_to="os.familie"), "item 1, applies_to: column 1"),
        (with_item(expression="import os"), "item 1, expression: column"),
        (with_item(expression="x" * 2_001), "length <= 2000"),
        (with_item(expression=""), "asks nothing"),
        (with_item(checks=(UnitCheck(unit="-x"),)), "item 1, checks 1"),
        (with_item(checks=(FileCheck(path="etc/x"),)), "no absolute path"),
        (with_item(checks=CHECKS * 6), "length <= 20"),
    ],
)
def test_what_no_pc_could_answer_is_refused(template: Template, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        decode_template(encode_template(template))


def test_too_many_bytes_are_not_looked_at() -> None:
    with pytest.raises(DecodeError, match="over the cap"):
        decode_template(b"\x80" * (MAX_TEMPLATE_BYTES + 1))


def test_unknown_keys_of_questions_and_kinds_are_refused() -> None:
    raw = msgspec.to_builtins(with_item(checks=CHECKS))
    assert decode_template(codec.encode(raw | {"surprise": 1})) == with_item(checks=CHECKS)  # of the template: ignored
    for wrong in (
        raw | {"format": 2},
        raw | {"items": [raw["items"][0] | {"surprise": 1}]},
        raw | {"items": [raw["items"][0] | {"checks": [{"kind": "registry", "path": "x"}]}]},
        raw | {"items": {"0": raw["items"][0]}},
    ):
        with pytest.raises(DecodeError):
            decode_template(codec.encode(wrong))


@given(st.binary(max_size=200) | st.binary(max_size=20).map(lambda tail: encode_template(TEMPLATE)[:-20] + tail))
def test_any_bytes_are_a_template_or_refused(data: bytes) -> None:
    try:
        decoded = decode_template(data)
    except DecodeError:
        return
    assert decode_template(encode_template(decoded)) == decoded
