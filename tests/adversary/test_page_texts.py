"""Whatever PCs and people write, the pages show it as text: in what is stored, in filters, and in forms shown again."""

import dataclasses
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from bench.pages.markup import markup_of
from seed_server.fleet.rehearsed import RehearsedError
from seed_server.settings.server_toml import ServerSettings
from seed_server.web.frame.page import Answer, Done, Form, Sent
from seed_server.web.pages.table import FORMS, PAGES
from tests.helpers.page_company import PageCompany, hostile_texts, page_company
from tests.helpers.page_hostile import spoiled
from tests.helpers.page_values import Values, text_fields
from tests.helpers.pages_client import PageAnswer, pages_of
from tests.helpers.people import cheap_passwords

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f"
LATER = 9e9
LANGUAGES = ("en", "ja")


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageCompany]:
    """Return a company with hostile names in all places."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        cheap_passwords(monkeypatch)
        yield spoiled(page_company(tmp_path_factory.mktemp("texts"), ServerSettings(name="hq", address="127.0.0.1")))


def harm_in(answer: PageAnswer) -> Iterator[str]:
    """Yield what a page has that it should not: foreign elements, attributes that run, signs that turn words."""
    if "text/html" not in answer.header("content-type"):
        return
    page = markup_of(answer.text)
    sources = [value for tag, name, value in page.attributes if (tag, name) == ("script", "src")]
    if page.tags.count("script") != len([one for one in sources if one.startswith("/static/")]):
        yield "a script"
    file = answer.header("content-disposition").startswith("attachment")  # it has all that it needs in it
    own = {"style", "svg"} if file else set[str]()
    for tag in ({"svg", "iframe", "object", "embed", "style", "base", "b", "i"} - own) & set(page.tags):
        yield f"<{tag}>"
    for tag, name, value in page.attributes:
        if name.startswith("on") or name == "style":
            yield f"<{tag} {name}>"
        if name in {"href", "src", "action"} and not value.startswith(("/", "#", "?", "data:image/")):
            yield f"<{tag} {name}={value[:40]}>"
    told = [value for _, name, value in page.attributes if name in {"title", "alt", "aria-label", "content"}]
    found = {sign for sign in BIDI if sign in page.text or any(sign in text for text in told)}
    if found:  # in a field it is what its reader has typed
        yield f"signs that turn words round: {found}"
    if "\x00" in answer.text or "49{" in answer.text:
        yield "a text that was carried out"


def values_of(company: PageCompany) -> Values:
    profiles = {f"{form.name}.name": "osaka" for form in FORMS if form.path.startswith("/profiles/")}
    return Values({**company.known(), **profiles}, {"template": "rings"})


def rehearsed(form: Form[Any, Any]) -> Form[Any, Any]:
    def does(sent: Sent[Any, Any]) -> Answer:
        try:
            return form.does(sent)
        except RehearsedError:
            return Done("/")

    return dataclasses.replace(form, does=does)


@pytest.mark.trio
@pytest.mark.parametrize("language", LANGUAGES)
async def test_what_is_stored_is_shown_as_text(company: PageCompany, language: str) -> None:
    values = values_of(company)
    found: list[tuple[object, ...]] = []
    async with pages_of(company.context) as site:
        browser = site.browser("root")
        browser.language = language
        for page in PAGES:
            answer = await browser.get(values.address(page))
            if answer.status not in {200, 303}:
                found.append((page.name, answer.status, answer.words[:200]))
            found += [(page.name, harm) for harm in harm_in(answer)]
    assert found == []


@pytest.mark.trio
async def test_filters_take_any_text(company: PageCompany) -> None:
    values, asked = values_of(company), 0
    found: list[tuple[object, ...]] = []
    async with pages_of(company.context) as site:
        browser = site.browser("root")
        for page in PAGES:
            for name in set(text_fields(page.takes)) - set(page.path_names):
                for text in hostile_texts():
                    answer = await browser.get(f"{values.address(page)}?{urlencode({name: text})}")
                    asked += 1
                    if answer.status >= 500:
                        found.append((page.name, name, text[:20], answer.status))
                    found += [(page.name, name, text[:20], harm) for harm in harm_in(answer)]
    assert found == []
    assert asked or not any(set(text_fields(page.takes)) - set(page.path_names) for page in PAGES)


@pytest.mark.trio
async def test_addresses_take_any_text(company: PageCompany) -> None:
    found: list[tuple[object, ...]] = []
    async with pages_of(company.context) as site:
        browser = site.browser("root")
        for page in PAGES:
            if not page.path_names:
                continue
            for text in hostile_texts():
                harmless = text.replace("/", "∕")[:300]
                address = Values(dict.fromkeys(page.path_names, quote(harmless, safe=""))).address(page)
                answer = await browser.get(address)
                if answer.status >= 500:
                    found.append((page.name, text[:20], answer.status))
                found += [(page.name, text[:20], harm) for harm in harm_in(answer)]
    assert found == []


@pytest.mark.trio
async def test_forms_take_any_text_and_show_it_again(company: PageCompany) -> None:
    values = values_of(company)
    found: list[tuple[object, ...]] = []
    context = dataclasses.replace(company.context, rehearsal=True)
    async with pages_of(context, PAGES, tuple(map(rehearsed, FORMS))) as site:
        browser = site.browser("root")
        site.step_up_until = LATER
        for form in FORMS:
            for name in text_fields(form.body):
                for text in hostile_texts():
                    answer = await browser.post(values.address(form), values.body(form, **{name: text}))
                    if answer.status >= 500:
                        found.append((form.name, name, text[:20], answer.status))
                    found += [(form.name, name, text[:20], harm) for harm in harm_in(answer)]
    assert found == []


@pytest.mark.trio
async def test_what_waits_for_a_second_factor_is_text(company: PageCompany) -> None:
    values = values_of(company)
    found: list[tuple[object, ...]] = []
    async with pages_of(company.context) as site:
        browser = site.browser("root")
        for form in FORMS:
            if form.step_up:
                for name in text_fields(form.body):
                    for text in hostile_texts():
                        answer = await browser.post(values.address(form), values.body(form, **{name: text}))
                        found += [(form.name, name, text[:20], harm) for harm in harm_in(answer)]
    assert found == []


def test_harm_is_seen() -> None:
    def page(text: str) -> list[str]:
        return list(harm_in(PageAnswer(200, [("content-type", "text/html; charset=utf-8")], text.encode())))

    assert page('<p>fine</p><script src="/static/a.js"></script><img src="data:image/svg+xml,x">') == []
    for text in (
        "<script>1</script>", "<p onclick=x>", '<a href="javascript:x">', "<img src=x>", "<svg>", "a\u202eb",
        '<form action="https://elsewhere.example/">',
    ):  # fmt: skip
        assert page(text), text
