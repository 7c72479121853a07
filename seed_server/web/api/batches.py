"""Batches: many small operations in one request, each with an answer of its own.

The answer is lines of JSON, each sent when its item is done, and a last one that says how many were: a program sees how
far it is, and of a batch that was cut off, with which item it ended. An item is an operation as any other: it asks its
own right, and has its own entry in the audit log. When the program is gone, the rest is not begun.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import replace
from typing import Annotated, Any, TypeAlias, get_args

import msgspec
import trio
from msgspec import Meta, Struct

from p2pdist.shared.errors import UserError
from seed_server.fleet.actor import Actor
from seed_server.fleet.api_token_operations import revoke_api_token
from seed_server.fleet.context import Context
from seed_server.fleet.endpoint_operations import allow, deny, forget_endpoint
from seed_server.fleet.exception_operations import add_exception, end_exception
from seed_server.fleet.operations import revoke_token
from seed_server.fleet.rehearsed import RehearsedError
from seed_server.web.api.documents import BatchEndDocument, BatchItemDocument
from seed_server.web.api.given import ExpressionText, GivenNumber, MaybeName, Name, ReasonText, UnixMoment
from seed_server.web.api.problems import TYPE_PREFIX, ApiProblemError, problem_of
from seed_server.web.api.route import API, ApiCall, Nothing, Route

LINES_MEDIA = "application/x-ndjson"
MAX_ITEMS = 10_000
MAX_BATCH_BYTES = 4 << 20  # of so many items of four hundred bytes


class _Item(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, tag_field="kind"):
    """Base of what an item asks for."""


class Deny(_Item, frozen=True, tag="deny"):
    """Refuse a PC."""

    endpoint: Name
    keep_tokens: bool = False


class Allow(_Item, frozen=True, tag="allow"):
    """Accept a PC again."""

    endpoint: Name


class Forget(_Item, frozen=True, tag="forget"):
    """Forget a PC."""

    endpoint: Name


class AddException(_Item, frozen=True, tag="add-exception"):
    """Hold a patch back."""

    who: ExpressionText
    until: UnixMoment
    reason: ReasonText
    owner: Name
    patch: MaybeName = ""


class EndException(_Item, frozen=True, tag="end-exception"):
    """End an exception."""

    number: GivenNumber


class RevokeToken(_Item, frozen=True, tag="revoke-token"):
    """Revoke a token that enrols PCs."""

    id: Name


class RevokeApiToken(_Item, frozen=True, tag="revoke-api-token"):
    """Revoke an API token."""

    id: Name


Item: TypeAlias = Deny | Allow | Forget | AddException | EndException | RevokeToken | RevokeApiToken

CARRIED_OUT: dict[type[_Item], Callable[[Context, Actor, Any], object]] = {
    Deny: lambda context, actor, one: deny(context, actor, one.endpoint, keep_tokens=one.keep_tokens),
    Allow: lambda context, actor, one: allow(context, actor, one.endpoint),
    Forget: lambda context, actor, one: forget_endpoint(context, actor, one.endpoint),
    AddException: lambda context, actor, one: add_exception(
        context, actor, who=one.who, until=one.until, reason=one.reason, owner=one.owner, patch=one.patch
    ),
    EndException: lambda context, actor, one: end_exception(context, actor, one.number),
    RevokeToken: lambda context, actor, one: revoke_token(context, actor, one.id),
    RevokeApiToken: lambda context, actor, one: revoke_api_token(context, actor, one.id),
}
"""What each kind of item does."""


class Batch(Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done, in this order."""

    items: Annotated[tuple[Item, ...], Meta(min_length=1, max_length=MAX_ITEMS)]
    dry_run: Annotated[
        bool, Meta(description="Only answer what would become of each by itself, as all is now; nothing changes.")
    ] = False


def done(context: Context, actor: Actor, number: int, item: Item) -> BatchItemDocument:
    """Do one item, or with a context for rehearsals see whether it could be done; return what became of it."""
    kind = str(msgspec.to_builtins(item)["kind"])
    try:
        CARRIED_OUT[type(item)](context, actor, item)
    except RehearsedError:
        pass
    except UserError as error:
        problem = problem_of(error)
        return BatchItemDocument(number, kind, problem.kind.status, f"{TYPE_PREFIX}{problem.kind.name}", problem.detail)
    return BatchItemDocument(number, kind, 200)


@asynccontextmanager
async def answered(call: ApiCall[Nothing, Batch], workers: trio.CapacityLimiter) -> AsyncIterator[AsyncIterator[bytes]]:
    """Give the lines of the answer, each once its item is done."""
    async with aclosing(_lines(call, workers)) as lines:
        yield lines


async def _lines(call: ApiCall[Nothing, Batch], workers: trio.CapacityLimiter) -> AsyncGenerator[bytes, None]:
    batch, refused = call.body, 0
    context = replace(call.context, rehearsal=batch.dry_run)
    for number, item in enumerate(batch.items):
        one = await trio.to_thread.run_sync(done, context, call.actor, number, item, limiter=workers)
        refused += one.type is not None
        yield msgspec.json.encode(one) + b"\n"
    end = BatchEndDocument(done=len(batch.items) - refused, refused=refused, dry_run=batch.dry_run)
    yield msgspec.json.encode(end) + b"\n"


def _streamed(call: ApiCall[Nothing, Batch]) -> object:
    raise ApiProblemError("failed", f"{len(call.body.items)} items are answered in parts.")


BATCH_ROUTES = (
    Route("POST", f"{API}/batches", "runBatch", "Many small operations, each with an answer of its own", _streamed,
          BatchItemDocument, "Batches", Nothing, Batch, streams=LINES_MEDIA, most_body_bytes=MAX_BATCH_BYTES,
          says="The answer has a line of JSON for each item, in their order, as soon as it is done, and one at the end "
          "that says how many were done. Where that is missing, the batch was cut off behind the last line: send the "
          "rest again. Kinds: " + ", ".join(str(one.__struct_config__.tag) for one in get_args(Item)) + ".",
          example={"items": [{"kind": "deny", "endpoint": "stolen-laptop"}], "dry_run": True}),
)  # fmt: skip
"""The row of the table that is about batches."""
