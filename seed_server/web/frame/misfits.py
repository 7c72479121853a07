"""What is wrong with what somebody gave, in words of the reader's language: msgspec's own are for programs. Pure."""

import re

from p2pdist.shared.language import tr

_PLACE = re.compile(r" - at `\$\.([a-z_]+)[^`]*`$")
_FIELD = re.compile(r"(?:missing required|unknown) field `([a-z_]+)`")
_LENGTH = re.compile(r"Expected `(str|array)` of length (<=|>=) ([0-9]+)")
_RANGE = re.compile(r"Expected `(?:int|float|float \| null|int \| null)` (<=|>=) ([0-9.e+-]+)")
_NUMBER = re.compile(r"Expected `(?:int|float)\b[^`]*`, got")


def misfit(why: str) -> tuple[str, str]:
    """Return which field does not fit, empty: that is not said, and why, for a message of `msgspec.ValidationError`."""
    place, field = _PLACE.search(why), _FIELD.search(why)
    name = place[1] if place is not None else field[1] if field is not None else ""
    return name, _words(_PLACE.sub("", why))


def _words(why: str) -> str:
    if "missing required field" in why:
        return tr("Fill this in.")
    if "unknown field" in why:
        return tr("There is no such field here.")
    if found := _LENGTH.match(why):
        kind, least, count = found[1], found[2] == ">=", int(found[3])
        if kind == "str":
            return tr("Give at least {count} letters.", count=count) if least else tr(
                "Give at most {count} letters.", count=count
            )  # fmt: skip
        return tr("Choose at least {count}.", count=count) if least else tr("Choose at most {count}.", count=count)
    if found := _RANGE.match(why):
        least, bound = found[1] == ">=", f"{float(found[2]):g}"
        return tr("Give at least {bound}.", bound=bound) if least else tr("Give at most {bound}.", bound=bound)
    if _NUMBER.match(why):
        return tr("Give a number.")
    if why.startswith("Invalid enum value"):
        return tr("Choose one of those that are offered.")
    return tr("This does not have the form that it must have.")
