"""`docs/protocol.md` names every message, field and cap that the code has, with the code's values."""

import inspect
import re
import typing
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from p2pdist.shared.manifest import documents, publication_order
from p2pdist.shared.wire import (
    custody,
    data_messages,
    enrolment,
    features,
    fields,
    inventory,
    line_messages,
    messages,
    neighbours_seen,
    parcel,
    pc_findings,
    signed_files,
    spare_copies,
    witness,
)
from p2pdist.shared.wire.codec import Message

ROOT = Path(__file__).parents[2]
DOC = (ROOT / "docs" / "protocol.md").read_text()


def caps(module: ModuleType) -> list[tuple[str, int]]:
    return [(name, value) for name, value in vars(module).items() if name.isupper() and isinstance(value, int)]


def records(module: ModuleType) -> list[type[msgspec.Struct]]:
    return [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, msgspec.Struct) and value.__module__ == module.__name__
    ]


SAID = [
    kind
    for module in (
        messages, line_messages, data_messages, parcel, witness, custody, neighbours_seen, pc_findings, signed_files,
        inventory, spare_copies,
    )
    for kind in records(module)
]  # fmt: skip
MESSAGES = [kind for kind in SAID if issubclass(kind, Message) and kind is not Message]
PARTS = [kind for kind in SAID + records(enrolment) if not issubclass(kind, Message)]
CAPS = [
    cap
    for module in (fields, messages, parcel, enrolment, documents, publication_order, signed_files, inventory)
    for cap in caps(module)
    if not cap[0].startswith("_")
]  # fmt: skip


def section(heading: str) -> str:
    match = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#)", DOC, re.MULTILINE | re.DOTALL)
    assert match, f"docs/protocol.md has no section {heading!r}"
    return match[1]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.__name__)
def test_every_message_has_a_section_that_names_its_fields(message: type[msgspec.Struct]) -> None:
    text = section(f"`{message.__struct_config__.tag}` (`{message.__name__}`)")
    for field in msgspec.structs.fields(message):
        assert f"`{field.encode_name}`" in text


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_every_record_inside_is_named_with_its_fields(part: type[msgspec.Struct]) -> None:
    assert f"`{part.__name__}`" in DOC
    for field in msgspec.structs.fields(part):
        assert f"`{field.encode_name}`" in DOC


def test_every_cap_is_named_with_its_value() -> None:
    assert CAPS
    assert [row for name, value in CAPS if (row := f"| `{name}` | {value} |") not in DOC] == []


def test_every_state_is_named() -> None:
    for state in (*typing.get_args(messages.PatchState), *filter(None, typing.get_args(messages.InstallState))):
        assert f"`{state}`" in section("`report` (`Report`)")


def test_the_doc_names_no_message_that_does_not_exist() -> None:
    named = set(re.findall(r"^#### `\w+` \(`(\w+)`\)$", DOC, re.MULTILINE))
    assert named == {message.__name__ for message in MESSAGES}


def test_every_feature_has_a_row_that_says_whose_it_is() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (PCs|servers|both) \|", section("Releases side by side"), re.MULTILINE)
    pcs, servers = set(features.PC_FEATURES), set(features.SERVER_FEATURES)
    whose = {name: "both" if name in pcs & servers else "PCs" if name in pcs else "servers" for name in pcs | servers}
    assert dict(rows) == whose
