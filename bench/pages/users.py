"""People who look at pages: they log in by the form, and go from one page to the next over a kept connection."""

import random
import ssl
from dataclasses import dataclass, field
from urllib.parse import urljoin

import httpx
import trio

from bench.pages.markup import login_form, markup_of

LOGIN_SECONDS = 60.0
PASSWORD = "a long walk in the rain"
LOGIN = "/login"


@dataclass
class Taken:
    """What the pages have taken, by address."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    bytes: dict[str, int] = field(default_factory=dict)
    """Of the page, with the style and the scripts that it needs; pictures in it are in it."""
    failed: dict[str, int] = field(default_factory=dict)
    """By address and status: no page."""


class PageUser:
    """One person with a browser's habits: one connection, and cookies."""

    def __init__(self, url: str, trusted_pem: str) -> None:
        self._url = url
        trust = ssl.create_default_context(cadata=trusted_pem)
        self._http = httpx.AsyncClient(base_url=url, verify=trust, trust_env=False, timeout=LOGIN_SECONDS)

    async def log_in(self, name: str) -> None:
        """Log in as somebody who has no second factor. Raises `ValueError` that says what was answered."""
        page = await self._http.get(LOGIN)
        form = login_form(markup_of(page.text))
        kinds = {"password": PASSWORD, "text": name}
        filled = {field: kinds[kind] for field, kind in form.kinds.items() if kind in kinds and field != "code"}
        headers = {"Origin": self._url, "Sec-Fetch-Site": "same-origin"}
        where = urljoin(f"{self._url}{LOGIN}", form.action)
        answer = await self._http.post(where, data=form.with_values(**filled), headers=headers)
        if answer.status_code != httpx.codes.SEE_OTHER:
            raise ValueError(f"the login was answered with {answer.status_code}: {markup_of(answer.text).text.split()}")

    async def weigh(self, address: str) -> int | None:
        """Return the bytes of a page, and of the files that it needs; None: it is none.

        That is a file to be kept, what is elsewhere, and what first wants to know of which patch. Raises `ValueError`
        for one that is not there.
        """
        page = await self._http.get(address)
        if page.status_code == httpx.codes.UNPROCESSABLE_ENTITY:
            return None
        if page.is_error:
            raise ValueError(f"{address} was answered with {page.status_code}: {markup_of(page.text).text.split()}")
        kept = page.headers.get("content-disposition", "").startswith("attachment")
        if page.is_redirect or kept or not page.headers.get("content-type", "").startswith("text/html"):
            return None
        files = dict.fromkeys(markup_of(page.text).files)
        others = [await self._http.get(urljoin(str(page.url), file)) for file in files]
        return len(page.content) + sum(len(other.content) for other in others)

    async def look(self, addresses: list[str], taken: Taken, chance: random.Random, pause_seconds: float) -> None:
        """Look at one page after the other, in an order by chance, each for some ``pause_seconds``, until cancelled."""
        await trio.sleep(chance.uniform(0.0, pause_seconds))
        while True:
            for address in chance.sample(addresses, len(addresses)):
                begun = trio.current_time()
                answer = await self._http.get(address)
                if answer.status_code == httpx.codes.OK:
                    taken.seconds.setdefault(address, []).append(trio.current_time() - begun)
                else:
                    failure = f"{address} {answer.status_code}"
                    taken.failed[failure] = taken.failed.get(failure, 0) + 1
                await trio.sleep(chance.uniform(0.5, 1.5) * pause_seconds)

    async def close(self) -> None:
        """Close the connection."""
        await self._http.aclose()
