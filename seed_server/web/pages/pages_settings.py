"""The page *settings*: those of the fleet as files, as `apply --export` writes them, and what files would change.

Nothing is changed here: `seed-server apply` does that, where the keys are.
"""

from typing import Annotated

from msgspec import Meta

from p2pdist.shared.errors import UserError
from p2pdist.shared.language import in_words, tr
from seed_server.automation.apply_changes import SIGNS
from seed_server.automation.apply_plan import ApplyPlan
from seed_server.automation.apply_words import key_words, kind_word
from seed_server.automation.applying import plan_of_text
from seed_server.automation.declared_export import export_files
from seed_server.automation.declared_layout import PEOPLE_FILE, SETTINGS_FILE, SITES_FILE
from seed_server.automation.declared_present import read_present
from seed_server.web.api.given import Body, Given, MaybeName
from seed_server.web.api.problems import ApiProblemError
from seed_server.web.frame.page import Answer, Asked, FileAnswer, Form, Page, Sent, Shown

MAX_CHECKED_CHARS = 256 << 10  # of all files together; a directory of more is checked on the server
MAX_SETTINGS_FORM_BYTES = 9 * MAX_CHECKED_CHARS + (16 << 10)  # a sign of Japanese is sent as nine
MOST_FILES_SHOWN = 50  # a site map of thousands has as many profiles
MOST_SHOWN_CHARS = 8_000  # of one file: the whole of it is downloaded
MOST_CHANGES_SHOWN = 200
MOST_STAYING_SHOWN = 50
TEXT_MEDIA = "application/toml"


class OfSettings(Given, frozen=True):
    """Which file; empty: the page."""

    file: MaybeName = ""


class CheckedFiles(Body, frozen=True):
    """Files to be checked."""

    text: Annotated[str, Meta(max_length=MAX_CHECKED_CHARS)]
    name: MaybeName = ""
    """Of the first file."""
    prune: bool = False


def _settings(asked: Asked[OfSettings]) -> Answer:
    files = export_files(read_present(asked.context))
    if asked.given.file:
        text = files.get(asked.given.file)
        if text is None:
            raise ApiProblemError("no-such-thing", f"There is no file {asked.given.file[:80]!r} of the settings.")
        kept = asked.given.file.replace("/", "-").replace("%", "-")
        return FileAnswer(kept, TEXT_MEDIA, text.encode())
    return _shown(files, CheckedFiles(text=""), None, [])


def _check(sent: Sent[OfSettings, CheckedFiles]) -> Shown:
    files, body = export_files(read_present(sent.context)), sent.body
    try:
        plan = plan_of_text(sent.context, body.text, body.name, prune=body.prune)
    except UserError as error:  # of which there may be many: each in a line of its own
        return _shown(files, body, None, [in_words(line) for line in error.message.split("\n")])
    return _shown(files, body, plan, [])


def _shown(files: dict[str, str], typed: CheckedFiles, plan: ApplyPlan | None, problems: list[str]) -> Shown:
    values = {
        "files": [(name, text[:MOST_SHOWN_CHARS], len(text) > MOST_SHOWN_CHARS) for name, text in files.items()][
            :MOST_FILES_SHOWN
        ],
        "total": len(files),
        "names": [("", tr("as its lines '# file: NAME' say")), *((one, one) for one in _NAMES)],
        "typed": typed,
        "plan": plan,
        "changes": [] if plan is None else plan.changes[:MOST_CHANGES_SHOWN],
        "numbers": {} if plan is None else {sign: sum(one.action == sign for one in plan.changes) for sign in SIGNS},
        "stays": [] if plan is None else plan.stays[:MOST_STAYING_SHOWN],
        "problems": problems,
        "commands": _COMMANDS,
        "signs": SIGNS,
        "kind_word": kind_word,
        "key_words": key_words,
    }
    return Shown(tr("Settings"), values)


_COMMANDS = ("seed-server apply DIRECTORY --plan", "seed-server apply DIRECTORY")
_NAMES = (SITES_FILE, PEOPLE_FILE, SETTINGS_FILE)


SETTINGS_PAGES = (
    Page("/settings", "settings", _settings, OfSettings, live=("settings", "profile", "account", "template")),
)
"""The page about settings."""

SETTINGS_FORMS = (
    Form("/settings/check", "settings-check", _check, OfSettings, CheckedFiles, operation="", of_page="settings",
         most_bytes=MAX_SETTINGS_FORM_BYTES),
)  # fmt: skip
"""Its form."""
