"""CVE numbers: what the weaknesses are called that a patch mends. Pure."""

import re
from typing import Annotated, TypeAlias

import msgspec

CVE_PATTERN = r"^CVE-[0-9]{4}-(?:[0-9]{4}|[1-9][0-9]{4,9})\Z"
"""A year, and four digits, or more where the first of them is no 0."""
MAX_CVE_CHARS = 19  # as long as `CVE_PATTERN` takes
MAX_CVES = 500  # of one patch: a month's update of an operating system mends some 150

Cve: TypeAlias = Annotated[str, msgspec.Meta(pattern=CVE_PATTERN, max_length=MAX_CVE_CHARS)]
Cves: TypeAlias = Annotated[tuple[Cve, ...], msgspec.Meta(max_length=MAX_CVES)]

_IS_CVE = re.compile(CVE_PATTERN)


def is_cve(text: str) -> bool:
    """Whether ``text`` is a CVE number, as it is written: ``CVE-2026-1234``."""
    return _IS_CVE.match(text) is not None
