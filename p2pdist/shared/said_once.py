"""What goes on for a while, and is looked at again and again, is said once. Pure."""

from dataclasses import dataclass


@dataclass(slots=True)
class SaidOnce:
    """Remembers the cause that was there the last time."""

    cause: str = ""
    """As it was said; empty: there is none."""

    def is_new(self, cause: str) -> bool:
        """Note the ``cause`` of now, empty for none; whether it is another one, so that it is to be said."""
        before, self.cause = self.cause, cause
        return cause != before
