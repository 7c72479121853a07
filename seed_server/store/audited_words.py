"""Why PCs did something, as far as it is kept for years: one PC does not take the room of all others. Pure."""

MAX_TEXTS_OF_PC = 100  # different ones, in a month: an honest PC says a few
FURTHER_TEXTS = "(there were too many different texts: this one is not kept)"


class AuditedWords:
    """How many different texts each PC has said in this month, since this process began."""

    def __init__(self, most: int = MAX_TEXTS_OF_PC) -> None:
        self._most = most
        self._month = 0
        self._said: dict[int, set[int]] = {}

    def kept(self, endpoint: int, text: str, month: int) -> str:
        """Return what is kept of the ``text`` of a PC, by its number: one too many is not."""
        if month != self._month:
            self._month, self._said = month, {}
        if not text:
            return text
        said, key = self._said.setdefault(endpoint, set()), hash(text)
        if key not in said and len(said) >= self._most:
            return FURTHER_TEXTS
        said.add(key)
        return text
