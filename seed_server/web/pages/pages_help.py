"""The page *help*: what the signs say, whose times these are, and which server this is."""

from p2pdist import __version__
from p2pdist.shared.language import tr
from seed_server.web.api.route import Nothing
from seed_server.web.frame.page import Asked, Form, Page, Shown


def _help(asked: Asked[Nothing]) -> Shown:
    settings = asked.context.settings()
    return Shown(tr("Help"), {"server": settings.name, "address": settings.address, "version": __version__})


HELP_PAGES = (Page("/help", "help", _help, Nothing, right=None),)
HELP_FORMS: tuple[Form[Nothing, Nothing], ...] = ()
