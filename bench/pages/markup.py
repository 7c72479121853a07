"""Reads pages as a browser does: their forms, what they link to, and which files they need. Pure."""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

_FILES = {"link": "href", "script": "src", "img": "src"}
_BUTTONS = {"submit", "button", "reset", "image"}


@dataclass
class HtmlForm:
    """One form."""

    action: str
    method: str
    """In capitals."""
    fields: dict[str, str] = field(default_factory=dict)
    """What it would send as it stands, by name; of a choice, the first or the chosen one."""
    kinds: dict[str, str] = field(default_factory=dict)
    """Of each field: the type of an input, ``textarea`` or ``select``."""

    def with_values(self, **values: str) -> dict[str, str]:
        """Return what it sends with these fields filled. Raises `KeyError` for one that it has not."""
        for name in values:
            self.kinds[name]
        return self.fields | values


@dataclass
class Markup:
    """What is in a page."""

    forms: list[HtmlForm] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    """Where its links lead, as they are written."""
    files: list[str] = field(default_factory=list)
    """What it needs to be shown: styles, scripts and pictures of its own, no data: addresses."""
    tags: list[str] = field(default_factory=list)
    """Every element that begins, in order."""
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    """Of all elements: tag, name and value."""
    text: str = ""
    """All that is to be read, also what is folded away; without what fields hold."""


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found = Markup()
        self._form: HtmlForm | None = None
        self._area = self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.found.tags.append(tag)
        self.found.attributes += [(tag, name, value) for name, value in given.items()]
        if tag == "a" and given.get("href"):
            self.found.links.append(given["href"])
        elif tag in _FILES and (where := given.get(_FILES[tag], "")) and not where.startswith("data:"):
            if tag != "link" or given.get("rel") in {"stylesheet", "icon"}:
                self.found.files.append(where)
        elif tag == "form":
            self._form = HtmlForm(given.get("action", ""), given.get("method", "get").upper())
            self.found.forms.append(self._form)
        elif self._form is not None:
            self._field(self._form, tag, given)

    def _field(self, form: HtmlForm, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and name:
            kind = given.get("type", "text")
            if kind in {"checkbox", "radio"}:
                form.kinds[name] = kind
                if "checked" in given:
                    form.fields[name] = given.get("value", "on")
            elif kind not in _BUTTONS:
                form.kinds[name], form.fields[name] = kind, given.get("value", "")
        elif tag == "textarea" and name:
            form.kinds[name], form.fields[name], self._area = "textarea", "", name
        elif tag == "select" and name:
            form.kinds[name], self._select = "select", name
        elif tag == "option" and self._select and ("selected" in given or self._select not in form.fields):
            form.fields[self._select] = given.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "textarea":
            self._area = ""
        elif tag == "select":
            self._select = ""

    def handle_data(self, data: str) -> None:
        if self._area and self._form is not None:
            self._form.fields[self._area] += data
        else:
            self.found.text += data


def markup_of(page: str) -> Markup:
    """Return what is in a page."""
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.found


def own_links(page: Markup, address: str) -> list[str]:
    """Return where links of the page at ``address`` lead on the same server: path and query, each once, in order."""
    found: dict[str, None] = {}
    for link in page.links:
        whole = urlsplit(urljoin(address, link))
        if whole.netloc == urlsplit(address).netloc and whole.scheme in {"", "http", "https"}:
            found[whole.path + (f"?{whole.query}" if whole.query else "")] = None
    return list(found)


def form_to(page: Markup, path: str) -> HtmlForm:
    """Return the page's form that leads to ``path``. Raises `LookupError` that says which there are."""
    for form in page.forms:
        if urlsplit(form.action).path == path:
            return form
    raise LookupError(f"no form leads to {path}: {[form.action for form in page.forms]}")


def login_form(page: Markup) -> HtmlForm:
    """Return the form that has a field for a password. Raises `LookupError`."""
    for form in page.forms:
        if "password" in form.kinds.values():
            return form
    raise LookupError("no form asks for a password")
