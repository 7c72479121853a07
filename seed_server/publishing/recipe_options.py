"""The options of `publish`, beside a recipe or instead of one. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from p2pdist.shared.manifest.recipe import INSTALL_KINDS, Install
from seed_server.publishing.check_shorthand import parse_check
from seed_server.publishing.recipe import PayloadFile, Recipe

_AS_THEY_ARE = (
    "patch_id",
    "version",
    "title",
    "severity",
    "cvss",
    "cves",
    "applies_to",
    "requires",
    "supersedes",
    "conflicts",
    "downgrade",
    "repack",
)
_NEEDED: Mapping[str, tuple[str, ...]] = {
    "deb": (),
    "rpm": (),
    "archive": ("directory",),
    "script": ("interpreter",),
    "msi": (),
    "msu": ("kb",),
    "exe": (),
}
_MORE = {
    "deb": ("package",),  # else it is read from the file, as the product's code
    "rpm": ("package",),
    "script": ("arguments",),
    "msi": ("product_code",),
    "exe": ("arguments",),
}
_TAKEN = {kind: (*needed, *_MORE.get(kind, ())) for kind, needed in _NEEDED.items()}
_OF_INSTALL = ("package", "directory", "interpreter", "arguments", "product_code", "kb")
_WRITTEN = {"arguments": "--argument", "product_code": "--product-code"}


class OptionsError(ValueError):
    """Options that do not go together. The message says which."""


def overridden_by(given: Mapping[str, Any]) -> frozenset[str]:
    """Return the keys of a recipe's top in whose place `with_options` puts something."""
    keys = {name for name, value in given.items() if value not in (None, ()) and value is not False}
    places = {"file": "payload", "kind": "install", **dict.fromkeys(_OF_INSTALL, "install")}
    places |= dict.fromkeys(("windows", "deadline", "emergency"), "schedule")
    return frozenset(places.get(key, key) for key in keys)


def with_options(recipe: Recipe, given: Mapping[str, Any]) -> Recipe:
    """Return ``recipe`` with what is ``given`` in place of what it says; None and empty lists are not given.

    Keys are those of a recipe, but for ``file`` (a path), ``kind`` and the install's own fields, ``detect`` and
    ``health`` (checks as `check_shorthand` has them), ``windows``, ``deadline`` and ``emergency``. Raises
    `OptionsError`, `CheckTextError`.
    """
    given = {name: value for name, value in given.items() if value not in (None, ()) and value is not False}
    changes: dict[str, Any] = {name: given[name] for name in _AS_THEY_ARE if name in given}
    if "file" in given:
        changes["payload"] = _payload(recipe, given["file"])
    install = {name: given[name] for name in _OF_INSTALL if name in given}
    if install or "kind" in given:
        changes["install"] = _install(recipe.install, given.get("kind"), install)
    if "detect" in given:
        changes["detect"] = _checks(given["detect"])
    if "health" in given:
        changes["health"] = {**_plain(recipe.health), "checks": _checks(given["health"])}
    schedule = {name: given[name] for name in ("windows", "deadline", "emergency") if name in given}
    if schedule:
        changes["schedule"] = {**_plain(recipe.schedule), **schedule}
    try:
        return msgspec.convert({**_plain(recipe), **changes}, Recipe)
    except msgspec.ValidationError as error:
        raise OptionsError(f"{error}; correct the option") from error


def _payload(recipe: Recipe, file: str) -> list[dict[str, Any]]:
    if len(recipe.payload) > 1:
        raise OptionsError(f"the recipe names {len(recipe.payload)} files; leave FILE out, or name them in it alone")
    return [{**_plain(recipe.payload[0] if recipe.payload else PayloadFile(file)), "file": file}]


def _install(known: Install | None, kind: str | None, given: dict[str, Any]) -> dict[str, Any]:
    before = _plain(known)
    if kind is not None and before.get("kind") != kind:
        before = {"kind": kind}
    if "kind" not in before:
        raise OptionsError(f"{_option(next(iter(given)))} needs --install KIND; there are: {', '.join(INSTALL_KINDS)}")
    kind = str(before["kind"])
    if strange := [name for name in given if name not in _TAKEN[kind]]:
        raise OptionsError(f"{_option(strange[0])} is not for --install {kind}; leave it out")
    if missing := [name for name in _NEEDED[kind] if name not in {**before, **given}]:
        raise OptionsError(f"--install {kind} needs {_option(missing[0])}")
    return {**before, **given}


def _checks(texts: Sequence[str]) -> list[dict[str, Any]]:
    return [_plain(parse_check(text)) for text in texts]


def _option(name: str) -> str:
    return _WRITTEN.get(name, f"--{name}")


def _plain(value: Any) -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(value) if value is not None else {}
    return plain
