"""Decodes files that people write: UTF-8, with or without a byte order mark. Other encodings are named. Pure."""

import codecs

_OTHER_MARKS = {  # UTF-32 before UTF-16, which begins alike
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_ADVICE = "Save it as UTF-8 (in Notepad: Save as, Encoding: UTF-8)."


class TextEncodingError(ValueError):
    """Bytes that are not text in UTF-8; the message follows the file's name: what they are, and what to do."""

    def __init__(self, problem: str, line: int | None) -> None:
        super().__init__(f"{problem}. {_ADVICE}")
        self.line = line
        """Line of the first wrong byte, from 1; None: the file as a whole is in another encoding."""


def without_mark(data: bytes) -> bytes:
    """Return ``data`` without a byte order mark of UTF-8. Raises `TextEncodingError` for one of another encoding."""
    for mark, encoding in _OTHER_MARKS.items():
        if data.startswith(mark):
            raise TextEncodingError(f"this is {encoding} text, not UTF-8", None)
    return data.removeprefix(codecs.BOM_UTF8)


def decode_text(data: bytes) -> str:
    """Return the text that ``data`` is in UTF-8, with or without a byte order mark. Raises `TextEncodingError`."""
    plain = without_mark(data)
    try:
        return plain.decode()
    except UnicodeDecodeError as error:
        raise TextEncodingError("not UTF-8 text", plain.count(b"\n", 0, error.start) + 1) from error
