"""A real browser before a real server: what `make test-browser` works with. Playwright is imported where it is used."""

import contextlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.fleet_processes import free_ports
from seed_server.settings.server_toml import ServerSettings
from tests.helpers.page_company import PASSWORD, PageCompany, page_company
from tests.helpers.page_history import live_lately

SERVE = [sys.executable, "-c", "from seed_server.commands.main import main; main()", "serve", "--home"]
START_SECONDS = 60.0
PATIENCE_MS = 20_000.0  # of one step in the browser, on a busy machine
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = [
    "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run", "--no-default-browser-check",
]  # fmt: skip
WATCH = """document.addEventListener('securitypolicyviolation', event =>
  pageBroke(`${location.pathname}: ${event.violatedDirective} ${event.blockedURI || event.sourceFile}`))"""
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}


def chromium() -> str | None:
    """Return where the system's Chromium is; None: there is none."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@dataclass(frozen=True)
class Place:
    """Where the pages are, and the company behind them."""

    company: PageCompany
    url: str


@contextlib.contextmanager
def served_company(folder: Path) -> Iterator[Place]:
    """Serve the company of `page_company`; its pages are at localhost, a name that keys can be made for."""
    web, origin, api = free_ports(3)
    url = f"https://localhost:{api}"
    company = page_company(
        folder, ServerSettings(name="hq", address="127.0.73.1", web_port=web, origin_port=origin, api_port=api)
    )
    with company.context.home.settings.open("a") as settings:
        settings.write(f'\n[pages]\norigin = "{url}"\n')
    said = folder / "server.log"
    with said.open("w+b") as log:
        process = subprocess.Popen([*SERVE, str(company.context.home.root)], stdout=log, stderr=log)
        try:
            until = time.monotonic() + START_SECONDS
            while "serving hq" not in said.read_text():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < until, said.read_text()
                time.sleep(0.1)
            live_lately(company, folder)
            yield Place(company, url)
        finally:
            process.terminate()
            process.wait()
        failed = [line for line in said.read_text().splitlines() if "request failed" in line]
        assert failed == []


@dataclass(eq=False)
class Browsing:
    """The browser, and what its pages have broken."""

    place: Place
    browser: Any
    violations: list[str] = field(default_factory=list)
    """Of the pages' own Content-Security-Policy."""
    _faults: list[str] = field(default_factory=list)
    _states: dict[str, Any] = field(default_factory=dict)
    _contexts: list[Any] = field(default_factory=list)

    def take_faults(self) -> list[str]:
        """Return scripts that failed and answers of 5xx since the last call."""
        taken, self._faults = self._faults, []
        return taken

    def context(self, name: str = "", *, language: str = "en", **options: Any) -> Any:
        """Return a browser of its own, with the session of this person; of nobody where ``name`` is empty."""
        if name and name not in self._states:
            with contextlib.closing(self.context()) as first:
                self.log_in(first.new_page(), name)
                self._states[name] = first.storage_state()
        options = {"viewport": DESKTOP, "locale": {"en": "en-GB", "ja": "ja-JP"}[language]} | options
        context = self.browser.new_context(
            ignore_https_errors=True, base_url=self.place.url, storage_state=self._states[name] if name else None,
            **options,
        )  # fmt: skip
        context.set_default_timeout(PATIENCE_MS)
        context.expose_binding("pageBroke", lambda _, words: self.violations.append(words))
        context.add_init_script(WATCH)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self._faults.append(str(error.error)))
        context.on("response", self._answered)
        self._contexts.append(context)
        return context

    def page(self, name: str = "", address: str = "/", **options: Any) -> Any:
        """Return a page in a browser of its own, at ``address``."""
        page = self.context(name, **options).new_page()
        page.goto(address)
        return page

    def log_in(self, page: Any, name: str, *, password: str = PASSWORD, code: str | None = None) -> None:
        """Log in by the form, with password and, where there is one, a code."""
        page.goto("/login")
        page.locator("input[autocomplete~=username]").first.fill(name)
        page.locator("input[type=password]").first.fill(password)
        if code is not None or name in self.place.company.seeds:
            given = self.place.company.code(name) if code is None else code
            page.locator("input[autocomplete=one-time-code]").first.fill(given)
        with page.expect_navigation():
            page.locator("input[type=password]").first.press("Enter")

    def confirm(self, page: Any, name: str) -> None:
        """Show a second factor where the page asks for one, and go on."""
        codes = page.locator("main input[autocomplete=one-time-code]")
        if codes.count():
            codes.first.fill(self.place.company.code(name))
            with page.expect_navigation():
                codes.first.press("Enter")

    def _heard(self, message: Any) -> None:
        if "Content Security Policy" in message.text or "Content-Security-Policy" in message.text:
            self.violations.append(f"{message.page.url if message.page else ''}: {message.text}")
        elif message.type == "error" and "status of 4" not in message.text:
            self._faults.append(f"{message.page.url if message.page else ''}: {message.text}")

    def _answered(self, response: Any) -> None:
        if response.status >= 500:
            self._faults.append(f"{response.url}: {response.status}")

    def close_pages(self) -> None:
        """Close what a test has opened."""
        for context in self._contexts:
            context.close()
        self._contexts.clear()


@contextlib.contextmanager
def browsing_at(place: Place) -> Iterator[Browsing]:
    """Give the browser; without a display, and without its own sandbox where root runs it."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=FLAGS, chromium_sandbox=False, timeout=1e3 * START_SECONDS
        )
        with contextlib.closing(browser):
            yield Browsing(place, browser)


def axe_violations(page: Any) -> list[str]:
    """Return what axe-core finds wrong with a page as it is now: rule, element and why."""
    page.evaluate((files("axe_playwright_python") / "axe.min.js").read_text())
    found = page.evaluate("() => axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{page.url}: {rule['id']}: {node['target']}: {node['failureSummary']}"
        for rule in found["violations"]
        for node in rule["nodes"]
    ]


def overflow_px(page: Any) -> int:
    """Return by how much a page is wider than its window: then people scroll sideways to read."""
    return int(page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def virtual_key(page: Any, *, resident: bool = True) -> Any:
    """Give the page's browser a security key that always agrees; returns its session of the DevTools protocol."""
    session = page.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2", "transport": "internal", "hasResidentKey": resident, "hasUserVerification": True,
                "isUserVerified": True, "automaticPresenceSimulation": True,
            }
        },
    )  # fmt: skip
    return session
