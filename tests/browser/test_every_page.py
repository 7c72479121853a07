"""Every page of the table, in both languages: whole, readable by all, within its window, and light."""

import functools
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from bench.pages.addresses import addresses_of
from bench.pages.markup import markup_of, own_links
from seed_server.web.pages.table import PAGES
from tests.helpers.browsing import PHONE, Browsing, axe_violations, overflow_px

pytestmark = pytest.mark.browser

LANGUAGES = ("en", "ja")
NOT_LOOKED_AT = {"login at the provider"}  # a way, which leads on by itself
OPEN = {"login"}
MORE = {
    "patch-pcs": "/patches/{patch}?part=pcs",
    "patch-priority": "/patches/{patch}?part=priority",
    "patch-plan": "/patches/{patch}?part=plan",
    "patch-files": "/patches/{patch}?part=files",
    "patch-start": "/patches/browser@1?part=start",
    "pc-odd": "/pcs/{odd}",
    "pc-patches": "/pcs/{endpoint}?show=patches",
    "pc-history": "/pcs/{endpoint}?show=history",
    "pc-inventory": "/pcs/{endpoint}?show=inventory",
    "pc-custody": "/pcs/{endpoint}?show=custody",
    "pcs-none": "/pcs?begins=nobody",
    "site-week": "/sites/{site}?span=week",
    "site-profile": "/sites/{site}?show=profile",
    "site-plans": "/sites/{site}?show=plans",
    "site-findings": "/sites/{site}?show=findings",
    "site-paused": "/sites/leeds",
    "missing-why": "/missing?patch={patch}&reason=install_failed",
    "exceptions-all": "/exceptions?show=all",
    "rollouts-all": "/rollouts?show=all",
    "rollout-halted": "/rollouts/2",
    "inventory-true": "/inventory?expression=os.family+%3D%3D+%22debian%22&columns=openssl",
    "inventory-wrong": "/inventory?expression=os.family+%3D%3D",
    "inventory-package": "/inventory?package=openssl",
    "audit-none": "/audit?who=nobody",
    "audit-log-whole": "/audit-log?compute=yes",
}
"""Further looks of pages that show more than one thing."""
MOST_PAGE_BYTES, MOST_SCRIPT_LINES = 60_000, 150
MOST_CRAWLED = 600
FILES = {"text/css", "text/javascript", "application/javascript"}


@functools.cache
def kinds(browsing: Browsing) -> dict[str, str]:
    """Return what each address of the table is answered with."""
    requests = browsing.context("root").request
    found = {}
    for name, address in addresses_of(PAGES, browsing.place.company.known()).items():
        answer = requests.get(address)
        assert answer.status == 200, f"{address}: {answer.status}"
        kept = answer.headers.get("content-disposition", "").startswith("attachment")
        found[name] = "file" if kept else answer.headers["content-type"].partition(";")[0]
    return found


def addresses(browsing: Browsing) -> dict[str, str]:
    """Return the pages that are looked at, not the files that are kept."""
    known = {**browsing.place.company.known(), "odd": browsing.place.company.pcs[7]}
    found = addresses_of(PAGES, known)
    pages = {name: found[name] for name, kind in kinds(browsing).items() if kind == "text/html"}
    more = {name: address.format_map(known) for name, address in MORE.items()}
    return {name: address for name, address in (pages | more).items() if name not in NOT_LOOKED_AT}


def shown(browsing: Browsing, language: str, **options: Any) -> Any:
    """Yield each page, open in a browser of somebody who may see it."""
    desks = {
        True: browsing.context("", language=language, **options).new_page(),
        False: browsing.context("root", language=language, **options).new_page(),
    }
    for name, address in addresses(browsing).items():
        page = desks[name in OPEN]
        answer = page.goto(address)
        assert answer.status == 200, f"{address}: {answer.status}: {page.locator('main').inner_text()}"
        assert page.locator("html").get_attribute("lang") == language
        yield name, page


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing(browsing: Browsing, language: str, colours: str) -> None:
    found = [
        violation for _, page in shown(browsing, language, color_scheme=colours) for violation in axe_violations(page)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nobody_scrolls_sideways_on_a_phone(browsing: Browsing, language: str) -> None:
    wide = {
        name: over
        for name, page in shown(browsing, language, viewport=PHONE, has_touch=True)
        if (over := overflow_px(page)) > 0
    }
    assert wide == {}


@pytest.mark.parametrize("language", LANGUAGES)
def test_pictures_for_people_to_look_at(browsing: Browsing, pictures: Any, language: str) -> None:
    for colours, viewport in (("light", None), ("dark", None), ("light", PHONE)):
        options = {"viewport": viewport} if viewport else {}
        for name, page in shown(browsing, language, color_scheme=colours, **options):
            kind = "phone" if viewport else colours
            page.screenshot(path=pictures / f"{name}-{language}-{kind}.png", full_page=True)
    assert len(list(pictures.glob("*.png"))) >= len(addresses(browsing))


def test_a_page_with_all_that_it_needs_is_light(browsing: Browsing) -> None:
    requests = {False: browsing.context("root").request, True: browsing.context().request}
    heavy, scripts = {}, {}
    for name, address in addresses(browsing).items():
        answer = requests[name in OPEN].get(address)
        total = len(answer.body())
        for file in dict.fromkeys(markup_of(answer.text()).files):
            part = requests[True].get(urljoin(answer.url, file))
            assert part.status == 200, file
            kind = part.headers["content-type"].partition(";")[0]
            assert kind in FILES | {"image/svg+xml", "image/png"}, (file, kind)
            total += len(part.body())
            if "javascript" in kind:
                scripts[file] = len(part.text().splitlines())
        if total > MOST_PAGE_BYTES:
            heavy[name] = total
    assert heavy == {}
    assert scripts
    assert sum(scripts.values()) <= MOST_SCRIPT_LINES


def test_every_link_leads_somewhere(browsing: Browsing) -> None:
    requests = browsing.context("root").request
    todo = [address for name, address in addresses(browsing).items() if name not in OPEN]
    seen, wrong = dict.fromkeys(todo), []
    for address in todo:  # grows meanwhile
        answer = requests.get(address, max_redirects=0)
        if answer.status >= 400 or answer.status == 303:
            wrong.append((address, answer.status, seen[address]))
        if answer.status != 200 or "text/html" not in answer.headers["content-type"]:
            continue
        for link in own_links(markup_of(answer.text()), answer.url):
            # a kind of page with other filters or further on is one like all others
            kind = urlsplit(link).path
            if (
                link not in seen
                and kind != "/logout"
                and (kind not in {urlsplit(one).path for one in seen} or "?" in link)
            ):
                if len(seen) >= MOST_CRAWLED:
                    continue
                seen[link] = address
                todo.append(link)
    assert not wrong, "\n".join(map(str, wrong))
    assert len(seen) > len(addresses(browsing))
