"""What the origin part does for the web part: it gives turns on the sites' lines, and counts what goes there."""

import trio

from p2pdist.shared.channel import UnexpectedMessageError
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.byte_budget import ByteBudgets
from seed_server.origin.server import OriginServer
from seed_server.ports.gate import MAX_WEB_CONNECTIONS
from seed_server.service.link import PartLink
from seed_server.service.messages import (
    BudgetSpent,
    FromWebPart,
    Handshake,
    KnownAddress,
    NoTurn,
    SmallAnswer,
    Turn,
    UseCertificate,
    WantTurn,
)

MAX_TURNS = 2 * MAX_WEB_CONNECTIONS  # that wait: one for each connection, and those whose `NoTurn` is on its way


class WebRequests:
    """Carries out what the web part asks for and tells of."""

    def __init__(
        self, origin: OriginServer, budgets: ByteBudgets, link: PartLink[FromWebPart], nursery: trio.Nursery
    ) -> None:
        """``budgets``: what each endpoint may fetch here."""
        self._origin = origin
        self._budgets = budgets
        self._link = link
        self._nursery = nursery
        self._turns: dict[int, trio.CancelScope] = {}

    def carry_out(self, message: FromWebPart) -> None:
        """Carry out one message. Returns at once. Raises `UnexpectedMessageError` for what cannot be meant."""
        try:
            if isinstance(message, WantTurn):
                self._want(message)
            elif isinstance(message, NoTurn):
                if (scope := self._turns.pop(message.call, None)) is not None:
                    scope.cancel()
            elif isinstance(message, SmallAnswer):
                self._origin.metadata_line.sent(message.address, message.count)
            elif isinstance(message, Handshake):
                self._origin.count_connecting(message.address)
            else:
                self._note(message)
        except ValueError as error:  # no IP address
            raise UnexpectedMessageError(f"it sent what it must not: {error}") from error

    def _note(self, message: UseCertificate | KnownAddress | BudgetSpent) -> None:
        if isinstance(message, KnownAddress):
            self._origin.known_addresses.note(message.address)
        elif isinstance(message, BudgetSpent):
            self._budgets.charge(EndpointId(message.endpoint), message.count, trio.current_time())

    def end_turns(self) -> None:
        """Nobody waits for turns any longer: the web part is gone."""
        for scope in self._turns.values():
            scope.cancel()
        self._turns.clear()

    def _want(self, wanted: WantTurn) -> None:
        if len(self._turns) >= MAX_TURNS or wanted.call in self._turns:
            raise UnexpectedMessageError("it wants more turns than it has connections")
        endpoint = EndpointId(wanted.endpoint)
        pace = self._origin.metadata_line.answer(wanted.address, endpoint, rank=wanted.rank, begun=wanted.begun)
        scope = self._turns[wanted.call] = trio.CancelScope()

        async def give() -> None:
            with scope:
                count = await pace.may_send(wanted.count)
                self._turns.pop(wanted.call, None)
                await self._link.send(Turn(wanted.call, pace.begun, count))

        self._nursery.start_soon(give)
