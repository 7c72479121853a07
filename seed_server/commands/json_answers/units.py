"""Numbers of the documents that `--json` prints, with their units. Pure."""

from typing import Annotated

from msgspec import Meta

Bytes = Annotated[int, Meta(extra={"unit": "bytes"})]
BytesPerSecond = Annotated[int, Meta(extra={"unit": "bytes per second"})]
Seconds = Annotated[float, Meta(extra={"unit": "seconds"})]
Moment = Annotated[float, Meta(extra={"unit": "seconds since 1970, UTC"})]
Count = Annotated[int, Meta(extra={"unit": "count"})]
