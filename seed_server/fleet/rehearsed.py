"""How an operation ends that is only to show whether it could be done. Pure."""


class RehearsedError(Exception):
    """All that was asked for could be done; nothing has changed."""


def end_rehearsal(*, rehearsal: bool) -> None:
    """Raise `RehearsedError` where it is a ``rehearsal``: called just before what cannot be taken back."""
    if rehearsal:
        raise RehearsedError
