"""How a browser is called in a list of sessions, and where somebody goes on after a login. Pure."""

import re

MAX_PLACE_CHARS = 2_000  # a page with its filters
_BROWSERS = (
    ("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("CriOS", "Chrome"),
    ("FxiOS", "Firefox"), ("Safari", "Safari"),
)  # fmt: skip
_SYSTEMS = (
    ("Windows", "Windows"), ("iPhone", "iOS"), ("iPad", "iOS"), ("Android", "Android"), ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip
_PLACE = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


def browser_words(agent: str) -> str:
    """Return what a User-Agent header says in two words, for people; empty: nothing that is known.

    The order matters: each names its forerunners too.
    """
    browser = next((name for mark, name in _BROWSERS if f"{mark}/" in agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in agent), "")
    return ", ".join(filter(None, (browser, system)))


def place_after(text: str) -> str:
    """Return the page of ours that ``text`` names, to go on with after a login; else the first one.

    What a browser could take for another site's address is none.
    """
    if len(text) > MAX_PLACE_CHARS or not _PLACE.fullmatch(text) or text.startswith(("/login", "/logout")):
        return "/"
    return text
