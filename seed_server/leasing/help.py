"""How far an endpoint helps its neighbours, by its own word. Pure."""

import enum


class Help(enum.Enum):
    """How far it helps: it is believed, for it gains nothing by saying less than the truth."""

    FULL = "full"
    LESS = "less"
    """Its neighbours get all that it has, slowly: others shall fetch before it."""
    NONE = "none"
    """Its neighbours get nothing: what it alone has is still needed by the others."""
