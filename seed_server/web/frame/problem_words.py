"""What went wrong with a page, in a few words of the reader's language, and problems that only pages have. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from p2pdist.shared.language import tr
from seed_server.web.api.problems import ApiProblemError, ProblemKind

PAGE_PROBLEMS: Mapping[str, ProblemKind] = MappingProxyType(
    {
        kind.name: kind
        for kind in (
            ProblemKind("form-not-ours", 403, "The form was not sent from a page of this server", "Open it again."),
            ProblemKind("no-form", 415, "The body is no form", "Send it from its page."),
            ProblemKind("signed-out", 401, "Nobody is signed in", "Log in."),
        )
    }
)


class PageProblemError(ApiProblemError):
    """A problem that no program has; its name is one of `PAGE_PROBLEMS`."""

    def __init__(self, name: str, detail: str) -> None:
        Exception.__init__(self, detail)
        self.kind, self.detail = PAGE_PROBLEMS[name], detail


def problem_title(name: str) -> str:
    """Return the title of the page of a problem; ``name``: that of its kind."""
    if name == "right-missing":
        return tr("You may not do this")
    if name == "no-such-thing":
        return tr("There is no such page")
    if name in {"failed", "not-ready"}:
        return tr("The server cannot do this now")
    if name in {"busy", "too-many"}:
        return tr("Too much at once")
    if name == "form-not-ours":
        return tr("This form is out of date")
    return tr("This cannot be done")


def problem_remedy(name: str) -> str:
    """Return what to do about a problem of a kind; empty: its own text says it."""
    if name == "no-such-thing":
        return tr("The menu leads to everything that there is.")
    if name == "form-not-ours":
        return tr("Open the page again, and send its form from there. Nothing was done.")
    if name in {"failed", "not-ready"}:
        return tr("Try again later. If it stays so, tell whoever runs the server; its log says more.")
    if name in {"busy", "too-many"}:
        return tr("Try again in a moment.")
    return ""
