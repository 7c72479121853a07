"""What `--json` of every command prints, for docs/json.md, from the types of what is printed.

python -m bench.json_doc        # writes the page, and adds new keys to the snapshot; refuses where one has gone

What is printed is a `msgspec.Struct` or a dataclass whose fields have a text below them, a list of such a type, or one
of several such types. A text ends with "Since VERSION." where the field was added after the first release. The unit is
that of ``Meta(extra={"unit": …})``, or else the last word of the name.
"""

import ast
import dataclasses
import enum
import inspect
import json
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from bandwidth.commands.json_answers import DOCUMENTS as BANDWIDTH
from bench.page_table import between
from p2pdist.local_api.messages import ANSWERS as P2PDIST
from seed_server.commands.documents import DOCUMENTS as SEED_SERVER

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "json.md"
SNAPSHOT = ROOT / "tests" / "architecture" / "json_keys.json"
BEGIN, END = "<!-- json:begin -->", "<!-- json:end -->"
FIRST_RELEASE = "0.1"

PROGRAMS: dict[str, Mapping[str, Any]] = {"p2pdist": P2PDIST, "seed-server": SEED_SERVER, "bandwidth": BANDWIDTH}
"""What each command of each program prints."""

_WORDS: dict[Any, str] = {str: "text", bool: "boolean", int: "whole number", float: "number", types.NoneType: "null"}
_SINCE = re.compile(r"\s*Since (\d+(?:\.\d+)*)\.$")

Keys = dict[str, dict[str, dict[str, str]]]
"""Program, command, key: its type and unit."""


@dataclass(frozen=True)
class Row:
    """One key."""

    key: str
    """Its path: ``patches[].id``."""
    type: str
    unit: str
    meaning: str
    since: str

    @property
    def shape(self) -> str:
        """What scripts rely on."""
        return f"{self.type}, {self.unit}" if self.unit else self.type


def rows_of(kind: Any) -> list[Row]:
    """Return the keys of a type in the order in which they are printed; of several types, each key once."""
    rows: dict[str, Row] = {}
    for row in _rows_below(kind, ""):
        known = rows.setdefault(row.key, row)
        if known.type != row.type:
            words = dict.fromkeys(f"{known.type} or {row.type}".split(" or "))
            rows[row.key] = dataclasses.replace(known, type=_joined(words))
    return list(rows.values())


def _rows_below(kind: Any, path: str) -> Iterator[Row]:
    for part in _objects_in(kind):
        texts, hints = _texts_of(part), typing.get_type_hints(part, include_extras=True)
        inner = path + _step_into(kind)
        for name, printed in _names_of(part):
            key = f"{inner}.{printed}" if inner else printed
            text = texts.get(name, "")
            since = _SINCE.search(text)
            yield Row(
                key,
                _type_of(hints[name]),
                _unit_of(hints[name]) or _unit_in(printed, hints[name]),
                _SINCE.sub("", text) + _values_in(hints[name]),
                since[1] if since else FIRST_RELEASE,
            )
            yield from _rows_below(hints[name], key)


def page_with_sections(page: str) -> str:
    """Return ``page`` with a section for every command between its markers. Raises `ValueError` without markers."""
    sections = (
        _section(program, command, kind) for program, commands in PROGRAMS.items() for command, kind in commands.items()
    )
    return between(page, BEGIN, END, "\n" + "\n\n".join(sections) + "\n")


def keys_now() -> Keys:
    """Return what every command prints now."""
    return {
        program: {command: {row.key: row.shape for row in rows_of(kind)} for command, kind in commands.items()}
        for program, commands in PROGRAMS.items()
    }


def broken_promises(before: Keys, now: Keys) -> list[str]:
    """Return the keys of ``before`` that have gone or have another type: scripts would break."""
    return [
        f"{program} {command}: {key} was {shape}, and is {now.get(program, {}).get(command, {}).get(key, 'gone')}"
        for program, commands in before.items()
        for command, keys in commands.items()
        for key, shape in keys.items()
        if now.get(program, {}).get(command, {}).get(key) != shape
    ]


def main() -> None:
    """Write page and snapshot."""
    before: Keys = json.loads(SNAPSHOT.read_text(encoding="utf-8")) if SNAPSHOT.exists() else {}
    if broken := broken_promises(before, keys_now()):
        sys.exit("\n".join([*broken, "Keys of --json stay, and so do their types: add another key instead."]))
    PAGE.write_text(page_with_sections(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    SNAPSHOT.write_text(json.dumps(keys_now(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _section(program: str, command: str, kind: Any) -> str:
    lead = " Or: ".join(inspect.getdoc(part) or "" for part in _objects_in(kind))
    if _step_into(kind) == "[]":
        lead = f"A list; each: {lead[:1].lower()}{lead[1:]}"
    head = ("| key | type | unit | what | since |", "|---|---|---|---|---|")
    lines = [f"### `{program} {command}`", "", lead, "", *head]
    lines += [f"| `{row.key}` | {row.type} | {row.unit} | {row.meaning} | {row.since} |" for row in rows_of(kind)]
    return "\n".join(lines)


def _objects_in(kind: Any) -> list[type]:
    """Return the types with fields that a value of ``kind`` is, or holds."""
    kind = _bare(kind)
    if isinstance(kind, type) and (issubclass(kind, msgspec.Struct) or dataclasses.is_dataclass(kind)):
        return [kind]
    if typing.get_origin(kind) in {typing.Union, types.UnionType, list, tuple, dict}:
        return [found for part in typing.get_args(kind) for found in _objects_in(part)]
    return []


def _step_into(kind: Any) -> str:
    """Return how the path goes on to what ``kind`` holds: into a list, into an object by any key, or at once."""
    kind = _bare(kind)
    parts = typing.get_args(kind) if typing.get_origin(kind) in {typing.Union, types.UnionType} else (kind,)
    origins = {typing.get_origin(_bare(part)) for part in parts}
    return "[]" if origins & {list, tuple} else ".*" if dict in origins else ""


def _type_of(kind: Any) -> str:
    kind = _bare(kind)
    origin, parts = typing.get_origin(kind), typing.get_args(kind)
    if origin in {typing.Union, types.UnionType}:
        return _joined(dict.fromkeys(_type_of(part) for part in parts))
    if origin in {list, tuple}:
        return f"list of {_plural(_type_of(parts[0]))}"
    if origin is dict:
        return f"object of {_plural(_type_of(parts[1]))}"
    if origin is typing.Literal:
        return _WORDS[type(parts[0])]
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return _WORDS[type(next(iter(kind)).value)]
    return _WORDS.get(kind) or "object"


def _joined(words: Iterable[str]) -> str:
    return " or ".join(sorted(words, key=lambda word: word == "null"))


def _unit_of(kind: Any) -> str:
    """Return the unit of the number in ``kind``; empty for none."""
    if typing.get_origin(kind) is typing.Annotated:
        for extra in typing.get_args(kind)[1:]:
            if isinstance(extra, msgspec.Meta) and extra.extra and "unit" in extra.extra:
                return str(extra.extra["unit"])
    if _objects_in(kind):
        return ""
    return next((unit for part in typing.get_args(kind) if (unit := _unit_of(part))), "")


def _values_in(kind: Any) -> str:
    """Return a sentence with all values of a type that lists them; empty for others."""
    kind = _bare(kind)
    if typing.get_origin(kind) is not typing.Literal:
        return ""
    *most, last = (f"`{json.dumps(value)}`".replace('"', "") for value in typing.get_args(kind))
    return f" Either {', '.join(most)} or {last}." if most else f" Always {last}."


def _unit_in(name: str, kind: Any) -> str:
    """Return the unit that the last word of a number's name is; empty for none."""
    if "number" not in _type_of(kind):
        return ""
    return {"bytes": "bytes", "mbit": "Mbit/s", "seconds": "seconds"}.get(name.rpartition("_")[2], "")


def _bare(kind: Any) -> Any:
    return typing.get_args(kind)[0] if typing.get_origin(kind) is typing.Annotated else kind


def _plural(word: str) -> str:
    return word if word == "text" else f"{word}s"


def _names_of(kind: type) -> list[tuple[str, str]]:
    """Return the fields, each with the name that is printed."""
    if issubclass(kind, msgspec.Struct):
        return [(field.name, field.encode_name) for field in msgspec.structs.fields(kind)]
    return [(name, name) for name in kind.__dataclass_fields__]  # type: ignore[attr-defined]


def _texts_of(kind: type) -> dict[str, str]:
    """Return the text below each field, in one line."""
    texts: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if base is not object and base.__module__.partition(".")[0] not in {"msgspec", "builtins"}:
            (tree,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
            assert isinstance(tree, ast.ClassDef)
            for field, below in zip(tree.body, tree.body[1:], strict=False):
                if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                    texts[field.target.id] = " ".join(_string_in(below).split()).replace("``", "`")
    return texts


def _string_in(statement: ast.stmt) -> str:
    value = statement.value if isinstance(statement, ast.Expr) else None
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else ""


if __name__ == "__main__":
    main()
