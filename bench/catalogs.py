"""The catalogs of translations: `make catalogs` brings them up to date with the sources, and compiles them.

python -m bench.catalogs             # writes p2pdist/shared/locale/LANGUAGE/LC_MESSAGES/p2pdist.{po,mo}
python -m bench.catalogs --missing   # lists sentences of daemons and PCs that have no translation yet

Messages come from three places:

* `tr` and `trn` in the sources and in the pages' templates: the screens' own words;
* closed lists: enumerations whose values people read (`CLOSED_LISTS`), and the words for states;
* sentences that arrive finished: literals and f-strings of the rooms in `SPEAKING`. A catalog has those that somebody
  has translated; where the sentence changes in the sources, its translation goes.

The first two must be translated: a test says so, and that the compiled catalogs are what the texts make.
"""

import argparse
import ast
import datetime as dt
import enum
import functools
import io
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from jinja2.ext import babel_extract

from bandwidth.core.states import Reason, State
from bandwidth.profiles.model import Sensitivity
from bandwidth.profiles.precedence import RuleKind
from bandwidth.profiles.resolve import RuleState
from p2pdist.install.order import StepKind
from p2pdist.install.restart_times import RestartBy
from p2pdist.install.schedule import TimingReason
from p2pdist.limiter.lan_policy import NOT_SERVED, LanReason
from p2pdist.pc.network import Medium
from p2pdist.shared.language import CATALOGS, DOMAIN, LEVELS, NOUNS, PLACES, TRANSLATIONS, UNITS
from p2pdist.shared.manifest.publication_order import OrderRefusal
from p2pdist.shared.state_words import STATE_WORDS
from p2pdist.shared.statement_check import StatementFault
from p2pdist.status.reasons import WhyReason
from p2pdist.transfer.faults import TransferFaultKind
from p2pdist.transfer.torrent_engine.peer_reasons import PeerReason
from p2pdist.trust.ring_rules import RingReason
from seed_server.automation.event_types import EVENT_TYPES
from seed_server.commands.sites_view import (
    LARGE_PACKETS_HINT,
    LARGE_PACKETS_NOTE,
    PAUSED_HINT,
    PAUSED_NOTE,
    SHARED_IDENTITIES_NOTE,
)
from seed_server.fleet.estimate import NoPace
from seed_server.fleet.rollout import RolloutState
from seed_server.fleet.rollout_queries import ring_template
from seed_server.fleet.shipped_rings import SHIPPED_RINGS
from seed_server.line.harm_evidence import HarmReason
from seed_server.reporting.missing_pcs import FollowUp, MissingReason, Proposal
from seed_server.reporting.service_levels import LevelVerdict

UNUSED_HEADERS = tuple(
    f'"{name}'
    for name in ("Report-Msgid", "POT-Creation", "PO-Revision", "Last-Translator", "Language-Team", "Generated")
)
"""Of whom and when, which the history of the file says better."""
NO_DATE = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROOT = Path(__file__).parents[1]
PACKAGES = ("p2pdist", "seed_server")
TEMPLATES = ROOT / "seed_server" / "web" / "templates"
KEYWORDS = {"tr": 1, "trn": 2}
"""Function of `p2pdist.shared.language` → how many of its arguments are messages."""
CLOSED_LISTS: tuple[type[enum.Enum], ...] = (
    WhyReason, LanReason, Reason, State, TimingReason, StepKind, PeerReason, Medium, TransferFaultKind, RestartBy,
    StatementFault, OrderRefusal, NoPace, RingReason, HarmReason, RolloutState, MissingReason, Proposal, FollowUp,
    LevelVerdict, RuleKind, RuleState, Sensitivity,
)  # fmt: skip
SEVERITIES = ("low", "medium", "high", "critical")
SPEAKING = (
    "bandwidth/core/quantities.py", "bandwidth/profiles", "bandwidth/simulator/figures.py",
    "p2pdist/agent", "p2pdist/commands", "p2pdist/daemon", "p2pdist/doctor", "p2pdist/identity", "p2pdist/install",
    "p2pdist/limiter", "p2pdist/local_api", "p2pdist/network", "p2pdist/origin", "p2pdist/settings.py",
    "p2pdist/shared", "p2pdist/status", "p2pdist/transfer", "p2pdist/trust", "seed_server",
)  # fmt: skip
"""Rooms whose sentences reach people finished: through the daemon's answers, PCs' reports, and errors."""


@functools.cache
def own_messages() -> tuple[str | tuple[str, str], ...]:
    """Return the messages that must be translated: singular and plural as a pair."""
    return tuple(_own_messages())


def _own_messages() -> Iterator[str | tuple[str, str]]:
    for path in _sources(PACKAGES):
        yield from _asked_for(_tree(path))
    yield from template_messages(TEMPLATES)
    for closed in CLOSED_LISTS:
        yield from (str(member.value) for member in closed)
    yield from (LARGE_PACKETS_NOTE, LARGE_PACKETS_HINT, SHARED_IDENTITIES_NOTE, PAUSED_NOTE, PAUSED_HINT)
    yield from NOT_SERVED.values()
    yield from EVENT_TYPES.values()
    yield from STATE_WORDS.values()
    yield from SEVERITIES
    yield from EVENT_TYPES.values()
    yield from (ring_template(name).title for name in SHIPPED_RINGS)
    yield from LEVELS
    yield from UNITS
    yield from PLACES
    yield "."
    yield from (f"{{number}} {noun}" for noun in NOUNS)
    yield "English"  # translated by the language's own name: `language.use` looks whether a terminal has its signs


def template_messages(place: Path) -> Iterator[str | tuple[str, str]]:
    """Yield the messages of the templates below ``place``, as `own_messages` does."""
    for path in sorted(place.rglob("*.html.j2")):
        with path.open("rb") as file:
            for _, function, found, _ in babel_extract(file, tuple(KEYWORDS), (), {"silent": "false"}):
                texts = [found] if isinstance(found, str) else list(found or ())[: KEYWORDS[function]]
                if len(texts) == KEYWORDS[function] and all(isinstance(text, str) for text in texts):
                    yield str(texts[0]) if len(texts) == 1 else (str(texts[0]), str(texts[1]))


def _asked_for(tree: ast.AST) -> Iterator[str | tuple[str, str]]:
    # not by Babel's reader of Python, which does not look into f-strings
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in KEYWORDS:
            messages = [part.value for part in node.args[: KEYWORDS[node.func.id]] if isinstance(part, ast.Constant)]
            if len(messages) == KEYWORDS[node.func.id]:
                yield str(messages[0]) if len(messages) == 1 else (str(messages[0]), str(messages[1]))


@functools.cache
def finished_sentences() -> frozenset[str]:
    """Return what the rooms in `SPEAKING` say, with names for the values in it."""
    return frozenset(text for path in _sources(SPEAKING) for text in _sentences(_tree(path)))


@functools.cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _sources(places: Iterable[str]) -> list[Path]:
    found: list[Path] = []
    for place in places:
        path = ROOT / place
        found += [path] if path.is_file() else sorted(path.rglob("*.py"))
    return found


def _sentences(tree: ast.AST) -> Iterator[str]:
    silent: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            silent |= {id(part) for part in ast.walk(node) if part is not node and isinstance(part, ast.Constant)}
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            silent.add(id(node.value))  # a docstring
        elif _is_log(node):
            silent |= {id(part) for part in ast.walk(node)}
    for node in ast.walk(tree):
        if id(node) not in silent and (text := _text(node)) and " " in text.strip():
            yield text


def _is_log(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in ("log", "_log")
    )


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if not isinstance(node, ast.JoinedStr):
        return ""
    text, used = "", dict[str, str]()
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "{{").replace("}", "}}")
        elif isinstance(part, ast.FormattedValue):
            text += "{" + _value_name(part.value, used) + "}"
    return text


def _value_name(value: ast.expr, used: dict[str, str]) -> str:
    """Return a name for a value of an f-string; equal expressions have one name, others differ."""
    source = ast.unparse(value)
    if source not in used:
        inner = value
        while isinstance(inner, ast.Call) and inner.args:
            inner = inner.args[0]
        name = inner.attr if isinstance(inner, ast.Attribute) else inner.id if isinstance(inner, ast.Name) else "value"
        name = name.strip("_").lower()
        used[source] = name if name not in used.values() else f"{name}{len(used)}"
    return used[source]


def made(language: str, before: Catalog) -> Catalog:
    """Return the catalog of ``language``: every message of now, with the translations of ``before``."""
    catalog = Catalog(
        locale=language, project="p2pdist", version="0", charset="utf-8", fuzzy=False,
        header_comment="# What people read in another language: see bench/catalogs.py.",
    )  # fmt: skip
    for message in own_messages():
        known = before.get(message if isinstance(message, str) else message[0])
        said = strings(known.string if known is not None else None)
        # what was one message may have got a plural since, and the other way round
        catalog.add(message, string=said[0] if isinstance(message, str) else said)
    for sentence in sorted(finished_sentences()):
        known = before.get(sentence)
        if known is not None and known.string and sentence not in catalog:
            catalog.add(sentence, string=known.string, auto_comments=["arrives finished"])
    return catalog


def read(language: str) -> Catalog:
    """Return the catalog as its text file has it; an empty one where there is none."""
    path = po_path(language)
    if not path.exists():
        return Catalog(locale=language)
    with path.open("rb") as file:
        return read_po(file, locale=language)


def po_path(language: str) -> Path:
    """Return the place of a catalog's text; the compiled one is beside it."""
    return CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.po"


def as_text(catalog: Catalog) -> bytes:
    """Return the catalog as a text file has it."""
    out = io.BytesIO()
    write_po(out, catalog, width=120, sort_output=True, no_location=True)
    lines = out.getvalue().decode().splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(UNUSED_HEADERS)).encode()


def compiled(catalog: Catalog) -> bytes:
    """Return the catalog as the standard library's gettext reads it; the same texts make the same bytes."""
    catalog.creation_date = catalog.revision_date = NO_DATE
    out = io.BytesIO()
    write_mo(out, catalog)
    return out.getvalue()


def main() -> None:
    """Write the catalogs, or list what they lack."""
    options = argparse.ArgumentParser(description="Bring the catalogs of translations up to date.")
    options.add_argument("--missing", action="store_true", help="list finished sentences without a translation")
    arguments = options.parse_args()
    for language in TRANSLATIONS:
        catalog = made(language, read(language))
        if arguments.missing:
            print(*sorted(sentence for sentence in finished_sentences() if sentence not in catalog), sep="\n")
            continue
        path = po_path(language)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(as_text(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        empty = [message.id for message in catalog if message.id and not all(strings(message.string))]
        for message in empty:
            print(f"{language}: no translation: {message!r}", file=sys.stderr)


def strings(string: str | tuple[str, ...] | list[str] | None) -> tuple[str, ...]:
    """Return the forms of a translation; one that is empty where there is none."""
    return (string or "",) if isinstance(string, str) or string is None else tuple(string)


if __name__ == "__main__":
    main()
