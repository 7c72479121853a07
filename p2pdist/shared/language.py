"""The language of the screens: English, as the sources have it, or a translation from the catalogs in `locale/`.

Only what a command shows to a person is translated, at the last moment. What is sent, logged, stored or printed by
``--json`` stays English. So a sentence that a daemon or a PC has made arrives here finished, with its values in it:
`in_words` finds the message that it was made from, and translates that. What no catalog has is shown in English.

The language is a fact of the process, as its locale is: `use` sets it once, before anything is shown. Where one process
speaks to many people, as the pages do, `speaking` sets it for what is shown to one of them; it follows the work into
threads, as context variables do.
"""

import contextlib
import functools
import gettext
import re
import sys
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path

from bandwidth.core.quantities import duration_text

CATALOGS = Path(__file__).parent / "locale"
DOMAIN = "p2pdist"
ENGLISH = "en"
TRANSLATIONS = ("ja",)
LANGUAGES = (ENGLISH, *TRANSLATIONS)

MIN_TEMPLATE_LETTERS = 4  # outside of its values: a shorter message, such as "{}: {}", would fit anything
MOST_JOINED = 7  # sentences in one text: place, level, key, and what is wrong with it
_JOINT = re.compile(r"(; |: )")
MAX_SENTENCE_CHARS = 1_000  # of a line; longer ones are an installer's output or somebody's attempt: shown as they are
MAX_LINES = 100  # of one text, likewise; an error lists what is wrong in a file line by line
_COUNTS = re.compile(
    r"(?:.*_)?(?:seconds|code|count|delay|number|days|interrupted|allowed|neighbours|minutes|line|column|least|most)"
)
"""Values with such names are numbers: else "{program} ended with exit code {code}" would swallow what follows it."""
_NAMES = re.compile(r"(?:name|program|shown|unit|version|newest|there|what|role|key|strip)[0-9]*")
"""Values with such names are no sentences: else "{name} is missing" would swallow all that ends with these words."""
MOST_NAME_BLANKS = 3  # in such a value: C:\\Program Files\\Acme Agent\\agent.exe
_NO_NAME = r"(?i:it|nothing|this|that|these|what)\b"
_WORD_VALUES = re.compile(r"(?:state|kind|reason|level|severity)[0-9]*")
"""Values that may be a single word of a closed list. Elsewhere a bare word is a key or a name, and stays as it is."""
LEVELS = ("error", "warning")  # of what is found in a file: the single words that stand between joints
PLACES = ("{place}, line {line}", "{place}, line {line}, column {column}")
"""Where in a file something is wrong, as errors begin."""
UNITS = ("s", "m", "h", "d")
_SPAN = re.compile(r"[0-9]+(?:\.[0-9])? [smhd](?: [0-9]+ [smhd])?")
"""A duration, as `duration_text` writes it."""
_UNIT = re.compile(r"[smhd]")
NOUNS = ("error", "warning", "item", "piece", "file", "PC", "other PC")
_COUNTED = re.compile(rf"([0-9]+) ({'|'.join(NOUNS)})s?")
"""So many of something, as `texts.counted` writes it."""
_PLACEHOLDER = re.compile(r"\{([a-z_]+[0-9]*)\}")


class Catalog(gettext.GNUTranslations):
    """A compiled catalog, which also knows the messages that finished sentences are made from."""

    _catalog: Mapping[str | tuple[str, int], str]  # the standard library's own: message → translation

    @functools.cached_property
    def templates(self) -> list[tuple[re.Pattern[str], str]]:
        """Messages with values, as patterns, and their translations; those with most text of their own come first."""
        messages = [message for message in self._catalog if isinstance(message, str) and _PLACEHOLDER.search(message)]
        messages.sort(key=lambda message: -len(_PLACEHOLDER.sub("", message)))
        return [(_pattern(message), self._catalog[message]) for message in messages if _letters(message)]

    def finished(self, sentence: str) -> str:
        """Return the translation of a sentence that already has its values; itself where none is known."""
        if "\n" in sentence and sentence not in self._catalog:
            lines = sentence.split("\n")
            return "\n".join(map(self._line, lines)) if len(lines) <= MAX_LINES else sentence
        if not sentence or len(sentence) > MAX_SENTENCE_CHARS:
            return sentence
        known = self._known(sentence)
        return self._joined(sentence) if known == sentence else known

    def _part(self, said: str, joint: str) -> str:
        """Return the translation of a part of a text; a sentence may have got its full stop by the joining."""
        if _is_key(said):
            return self.gettext(said) if said in LEVELS and joint == ": " else said
        known = self._known(said)
        if known == said and said.endswith(".") and (without := self._known(said[:-1])) != said[:-1]:
            return f"{without}{self.gettext('.')}"
        return known

    def _line(self, line: str) -> str:
        """Return one line of a text with several: indented as it was."""
        said = line.strip()
        return line.replace(said, self.finished(said), 1) if said else line

    def _known(self, sentence: str) -> str:
        """Return the translation of one sentence; itself where none is known."""
        if (whole := self._catalog.get(sentence)) is not None:
            return whole
        if _SPAN.fullmatch(sentence):
            return _UNIT.sub(lambda unit: self.gettext(unit[0]), sentence)
        if counted := _COUNTED.fullmatch(sentence):
            return self.gettext(f"{{number}} {counted[2]}").format(number=counted[1])
        for pattern, translation in self.templates:
            if found := pattern.fullmatch(sentence):
                # a value may be a sentence too, and is always shorter: this ends
                values = {name: self._value(name, value) for name, value in found.groupdict().items()}
                stop = _taken_stop(found, values, translation)
                return translation.format(**values) + (self.gettext(".") if stop else "")
        return sentence

    def _value(self, name: str, value: str) -> str:
        return value if _is_key(value) and not _WORD_VALUES.fullmatch(name) else self.finished(value)

    def _joined(self, text: str) -> str:
        """Return a text that was joined of several sentences, each as far as it is known; a single one may be, too."""
        parts = _JOINT.split(text)  # sentences, and the joints between them
        if len(parts) > 2 * MOST_JOINED - 1:
            return text
        shown, start = "", 0
        while start < len(parts):
            before = parts[start - 1] if start else ""
            for end in range(len(parts), start, -2):  # the longest that is known; a single one is taken as it is
                said = "".join(parts[start:end])
                if before and (known := self._catalog.get(before + said, "")):  # appended, as "; nothing is undone"
                    shown = shown.removesuffix(before)
                else:
                    known = self._part(said, "".join(parts[end : end + 1]))
                if known != said or end == start + 1:
                    shown += known + "".join(parts[end : end + 1])
                    start = end + 1
                    break
        return shown


def _taken_stop(found: re.Match[str], values: dict[str, str], translation: str) -> bool:
    """Return whether the last value, which a translation has elsewhere, took the full stop of what it ends; it goes."""
    name = found.lastgroup or ""
    value = values[name]
    at_end = found.end(name) == len(found.string) and not translation.endswith(f"{{{name}}}")
    if not at_end or not value.endswith(".") or value != found[name]:
        return False
    values[name] = value[:-1]
    return True


def _is_key(text: str) -> bool:
    """Return whether a part of a sentence is a bare word, and so perhaps a key of a file: ``version`` stays that."""
    return not re.search(r"\s", text)


def _letters(message: str) -> bool:
    return sum(sign.isalpha() for sign in _PLACEHOLDER.sub("", message)) >= MIN_TEMPLATE_LETTERS


def _pattern(message: str) -> re.Pattern[str]:
    """Return what finished sentences of ``message`` look like; a value may be empty."""
    parts = _PLACEHOLDER.split(message)
    seen: set[str] = set()
    pattern = ""
    for number, part in enumerate(parts):
        if number % 2 == 0:
            pattern += re.escape(part.replace("{{", "{").replace("}}", "}"))
        elif part in seen:
            pattern += f"(?P={part})"
        else:
            seen.add(part)
            pattern += f"(?P<{part}>{_value_pattern(part)})"
    return re.compile(pattern, re.DOTALL)


def _value_pattern(name: str) -> str:
    if _COUNTS.fullmatch(name):
        return r"-?[0-9]+(?:\.[0-9]+)?"  # the full stop of a sentence is none of it
    if _NAMES.fullmatch(name):
        return rf"(?!{_NO_NAME})\S*?(?:(?<![:;,]) \S*?){{0,{MOST_NAME_BLANKS}}}?"  # and no joint
    return ".*?"


@functools.cache
def catalog_of(language: str) -> Catalog | None:
    """Return the catalog of ``language``; None: English needs none, or it is not installed."""
    if language not in TRANSLATIONS:
        return None
    path = CATALOGS / language / "LC_MESSAGES" / f"{DOMAIN}.mo"
    try:
        with path.open("rb") as file:
            return Catalog(file)
    except OSError:  # an installation without it speaks English
        return None


class _Language:
    catalog: Catalog | None = None
    language = ENGLISH


_spoken: ContextVar[str | None] = ContextVar("spoken", default=None)
"""The language for one person; None: that of the process."""


def _catalog() -> Catalog | None:
    spoken = _spoken.get()
    return _Language.catalog if spoken is None else catalog_of(spoken)


@contextlib.contextmanager
def speaking(language: str) -> Iterator[None]:
    """Let everything within be in ``language``, whatever the language of the process is; nowhere else is it changed."""
    token = _spoken.set(language if language in LANGUAGES else ENGLISH)
    try:
        yield
    finally:
        _spoken.reset(token)


def wanted(environment: Mapping[str, str]) -> str:
    """Return the language that LC_ALL, LC_MESSAGES or LANG asks for, in this order; English where we have it not."""
    asked = next((environment[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if environment.get(name)), "")
    language = re.split(r"[_.@-]", asked, maxsplit=1)[0].lower()
    return language if language in LANGUAGES else ENGLISH


def use(language: str) -> None:
    """Show screens in ``language`` from now on; in English where standard output cannot show its signs."""
    catalog = catalog_of(language)
    _Language.catalog = catalog if catalog is not None and _can_be_shown(catalog) else None
    _Language.language = language


def _can_be_shown(catalog: Catalog) -> bool:
    try:
        # the catalog's own name of its language is a sample of its signs
        catalog.gettext("English").encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def current() -> str:
    """Return the code of the language of the screens."""
    if (spoken := _spoken.get()) is not None:
        return spoken
    return ENGLISH if _Language.catalog is None else _Language.language


def in_language(text: str, others: Mapping[str, str]) -> str:
    """Return what a publisher wrote in the language of the screens, of ``others`` by code; else ``text``."""
    return others.get(current(), text)


def tr(message: str, **values: object) -> str:
    """Return ``message`` in the language of the screens, with ``values`` in it."""
    catalog = _catalog()
    text = message if catalog is None else catalog.gettext(message)
    return text.format(**values) if values else text


def trn(one: str, many: str, number: int, **values: object) -> str:
    """Return ``one`` or ``many``, as ``number`` asks for, in the language of the screens, with ``values`` in it.

    The number itself is the value ``number``.
    """
    return trn_text(one, many, number).format(number=number, **values)


def trn_text(one: str, many: str, number: int) -> str:
    """Return ``one`` or ``many`` as `trn` does, before there are values in it."""
    catalog = _catalog()
    return (one if number == 1 else many) if catalog is None else catalog.ngettext(one, many, number)


def span(seconds: float) -> str:
    """Return a duration, as `duration_text` does, in the language of the screens."""
    return in_words(duration_text(seconds))


def in_words(sentence: str) -> str:
    """Return a finished English sentence in the language of the screens; as it is where no catalog has it."""
    catalog = _catalog()
    return sentence if catalog is None else catalog.finished(sentence)
