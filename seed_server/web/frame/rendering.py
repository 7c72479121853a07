"""Makes HTML of what a page shows: the templates, their filters, and their words. Alone, with reports, knows Jinja2.

Every text is escaped. Words are in the reader's language, as `p2pdist.shared.language.speaking` has set it.
"""

import re
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape

from p2pdist.shared import language
from p2pdist.shared.printable_text import printable, printable_lines
from seed_server.web.frame import locale_text
from seed_server.web.frame.addresses import address_of, path_to
from seed_server.web.frame.reader import PageReader, reader, reading
from seed_server.web.frame.static import static_address

PAGE_TEMPLATES = Path(__file__).parents[1] / "templates"
_PLAIN_SIGNS = "/:=,;.-+*()!~"  # of a chart: neither HTML nor an address has to escape them, and most of it is numbers
_SIZE = re.compile(r"<svg\b[^>]*?\b(width|height)=\"([0-9.]+)[a-z]*\"[^>]*?\b(width|height)=\"([0-9.]+)")


def page_html(template: str, one: PageReader, title: str, values: dict[str, Any]) -> str:
    """Return a page as HTML; ``template``: the name of its file without ``.html.j2``."""
    with reading(one):
        return _environment().get_template(f"{template}.html.j2").render(**values, title=title)


def load_templates() -> None:
    """Read and compile all templates, so that nobody waits for it."""
    for name in _environment().list_templates(filter_func=lambda name: name.endswith(".html.j2")):
        _environment().get_template(name)


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(PAGE_TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        cache_size=-1,
        auto_reload=False,
    )
    environment.globals |= {"tr": _tr, "trn": _trn, "reader": reader, "static": static_address, "picture": _picture}
    environment.globals |= {"path_to": path_to, "address_of": address_of}
    filters: dict[str, Callable[..., object]] = {
        "shown": _shown, "lines": _lines, "words": _words, "moment": _moment, "day": _day, "age": _age, "span": _span,
        "number": _number, "bytes": _bytes, "percent": _percent, "mbit": _mbit,
    }  # fmt: skip
    environment.filters |= {name: _for_each_reader(one) for name, one in filters.items()}
    return environment


def _for_each_reader(one: Callable[..., object]) -> Callable[..., object]:
    """Return a filter that is applied whenever a page is made.

    Else what stands in a template itself, such as ``none|number``, is made once, in its first reader's language.
    """

    @pass_context
    @wraps(one)
    def apply(_: object, value: object) -> object:
        return one(value)

    return apply


# --- words -------------------------------------------------------------------------------


def _tr(message: str, **values: object) -> Markup:
    """Return ``message`` in the reader's language; values that are HTML of ours, such as links, stay that."""
    text = Markup(escape(language.tr(message)))  # noqa: S704 - it is escaped
    return text.format(**{name: _value(value) for name, value in values.items()}) if values else text


def _value(value: object) -> object:
    return _shown(value) if isinstance(value, str) else value


def _trn(one: str, many: str, number: int, **values: object) -> Markup:
    """Return ``one`` or ``many``, as `_tr` does; the number itself is the value ``number``."""
    text = Markup(escape(language.trn_text(one, many, number)))  # noqa: S704 - it is escaped
    return text.format(number=_number(number), **{name: _value(value) for name, value in values.items()})


def _words(sentence: object) -> str:
    """Return a finished English sentence in the reader's language, fit to be shown."""
    return printable(language.in_words(str(sentence)))


def _shown(text: object) -> object:
    """Return a text of a PC or a person as one line of visible signs; HTML of ours as it is."""
    return text if hasattr(text, "__html__") else printable(str(text))


def _lines(text: object) -> str:
    """Return a text of a PC or a person with its line breaks, for ``<pre>`` and text areas."""
    return printable_lines(str(text).replace("\r\n", "\n"))


# --- figures -----------------------------------------------------------------------------


def _unknown() -> Markup:
    return Markup('<span class="quiet" aria-hidden="true">–</span><span class="unseen">{}</span>').format(
        language.tr("not known")
    )


def _moment(seconds: float | None) -> Markup:
    if seconds is None:
        return _unknown()
    one = reader()
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        locale_text.moment_code(seconds),
        locale_text.age_text(one.now - seconds, one.language),
        locale_text.moment_text(seconds, one.language),
    )


def _age(seconds: float | None) -> Markup:
    if seconds is None:
        return _unknown()
    one = reader()
    return Markup('<time datetime="{}" title="{}" data-age>{}</time>').format(
        locale_text.moment_code(seconds),
        locale_text.moment_text(seconds, one.language),
        locale_text.age_text(one.now - seconds, one.language),
    )


def _day(seconds: float | None) -> Markup:
    if seconds is None:
        return _unknown()
    return Markup('<time datetime="{}">{}</time>').format(
        locale_text.moment_code(seconds), locale_text.day_text(seconds, reader().language)
    )


def _span(seconds: float | None) -> str | Markup:
    return _unknown() if seconds is None else language.span(seconds)


def _number(number: float | None) -> str | Markup:
    return _unknown() if number is None else locale_text.number_text(number, reader().language)


def _bytes(count: float | None) -> str | Markup:
    return _unknown() if count is None else locale_text.bytes_text(count, reader().language)


def _percent(share: float | None) -> str | Markup:
    return _unknown() if share is None else locale_text.percent_text(share, reader().language)


def _mbit(rate: float | None) -> str | Markup:
    return _unknown() if rate is None else locale_text.mbit_text(rate, reader().language)


def _picture(svg: str) -> dict[str, str]:
    """Return a chart's address, as that of an image that lies in the page, and its size."""
    found = _SIZE.search(svg)
    size = {"width": "", "height": ""} if found is None else {found[1]: found[2], found[3]: found[4]}
    return {"address": f"data:image/svg+xml,{quote(svg, safe=_PLAIN_SIGNS)}", **size}
