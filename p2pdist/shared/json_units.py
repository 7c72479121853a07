"""Types of the numbers that `--json` prints, with their units; docs/json.md shows them. Pure."""

from typing import Annotated

from msgspec import Meta

Bytes = Annotated[int, Meta(extra={"unit": "bytes"})]
ByteRate = Annotated[int, Meta(extra={"unit": "bytes per second"})]
Seconds = Annotated[float, Meta(extra={"unit": "seconds"})]
WholeSeconds = Annotated[int, Meta(extra={"unit": "seconds"})]
Milliseconds = Annotated[float, Meta(extra={"unit": "milliseconds"})]
UnixSeconds = Annotated[float, Meta(extra={"unit": "seconds since 1970, UTC"})]
WholeUnixSeconds = Annotated[int, Meta(extra={"unit": "seconds since 1970, UTC"})]
Count = Annotated[int, Meta(extra={"unit": "count"})]
Share = Annotated[float, Meta(extra={"unit": "share, 0 to 1"})]
Percent = Annotated[float, Meta(extra={"unit": "percent"})]
