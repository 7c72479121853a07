"""The settings of a fleet as TOML text that reads back to the same values. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

import msgspec

Values: TypeAlias = Mapping[str, Any]
"""What TOML holds: texts, booleans, numbers, lists and tables."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z")


def toml_text(values: Values, head: str = "") -> str:
    """Return ``values`` as TOML: what has no table first, then each table, and each list of tables.

    ``head`` goes first, as a comment. Numbers are finite; there is no None, and no date.
    """
    lines = [f"# {line}".rstrip() for line in head.splitlines()]
    plain_ones = [assignment(name, value) for name, value in values.items() if not has_header(value)]
    lines += ["", *plain_ones] if plain_ones else []
    for name, value in values.items():
        if has_header(value):
            lines += section_lines(name, value)
    return "\n".join(lines).strip("\n") + "\n" if lines else ""


def section_lines(name: str, value: Any) -> list[str]:
    """Return the lines of a table, or of a list of tables, each with its header, and an empty line before that."""
    if isinstance(value, Mapping):
        return ["", f"[{_key(name)}]", *(f"{_key(key)} = {value_text(inner)}" for key, inner in value.items())]
    return [
        line
        for table in value
        for line in ("", f"[[{_key(name)}]]", *(f"{_key(key)} = {value_text(inner)}" for key, inner in table.items()))
    ]


def assignment(name: str, value: Any) -> str:
    """Return the line or lines of a key whose value needs no header."""
    return f"{_key(name)} = {value_text(value)}"


def has_header(value: Any) -> bool:
    """Whether a value of the top gets headers: a table, or a list of tables."""
    return isinstance(value, Mapping) or (
        isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)
    )


def plain(value: Any) -> Any:
    """Return a Struct as values of TOML, without what is None or as by default; tuples and sets become lists."""
    if isinstance(value, msgspec.Struct):
        config = value.__struct_config__
        found = {config.tag_field: config.tag} if config.tag_field else {}
        return found | dict(_written(value))
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items() if inner is not None}
    if isinstance(value, frozenset | set):
        return [plain(inner) for inner in sorted(value)]
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value


def _written(struct: msgspec.Struct) -> Iterator[tuple[str, Any]]:
    for field in msgspec.structs.fields(struct):
        value = getattr(struct, field.name)
        default = field.default
        if default is msgspec.NODEFAULT and field.default_factory is not msgspec.NODEFAULT:
            default = field.default_factory()
        if value is not None and (default is msgspec.NODEFAULT or value != default):
            yield field.encode_name, plain(value)


def _key(name: str) -> str:
    return name if _BARE_KEY.match(name) else _text(name)


def value_text(value: Any) -> str:
    """Return a value as TOML writes it after an equals sign."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, Mapping):
        inner = ", ".join(f"{_key(key)} = {value_text(one)}" for key, one in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if any(isinstance(one, Mapping) for one in value):  # each table in a line of its own
        return "[\n" + "".join(f"    {value_text(one)},\n" for one in value) + "]"
    return f"[{', '.join(map(value_text, value))}]"


def _text(text: str) -> str:
    # a text of JSON is one of TOML, but for this one sign
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
