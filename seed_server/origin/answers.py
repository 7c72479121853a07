"""Answers to what endpoints ask on their control connections, where an answer takes time."""

from collections.abc import Iterable
from functools import partial
from typing import TypeAlias, assert_never

import trio
from msgspec.structs import replace

from p2pdist.shared.wire.codec import DecodeError
from p2pdist.shared.wire.features import CHANGED_NEWS, PARCELS, SHARED_NEWS, UNASKED_NEWS
from p2pdist.shared.wire.messages import News, NewsWanted, RepositoryChanged
from p2pdist.shared.wire.news_torrent import NewsTorrent, make_torrent
from p2pdist.shared.wire.parcel import ParcelsWanted
from p2pdist.shared.wire.spare_copies import SpareWanted
from p2pdist.shared.wire.witness import ConsistencyWanted
from seed_server.origin.connection import RefusedError
from seed_server.origin.guarded import guarded
from seed_server.origin.paced_news import Reader
from seed_server.origin.port_parts import PortParts
from seed_server.origin.session import Session
from seed_server.origin.site import LiveSite

Question: TypeAlias = NewsWanted | ParcelsWanted | ConsistencyWanted | SpareWanted
"""What takes time to be answered."""


class Answers:
    """The answers to one endpoint: of each kind of question one after the other, beside whatever else it says."""

    __slots__ = ("_live", "_parts", "_session", "_unanswered")

    def __init__(self, session: Session, live: LiveSite, parts: PortParts) -> None:
        self._session = session
        self._live = live
        self._parts = parts
        self._unanswered: dict[type[Question], Question | None] = {}
        """Of each kind that is being answered: the one to answer next."""

    def asked(self, question: Question, nursery: trio.Nursery | None) -> None:
        """Answer a question in ``nursery``, after the one of its kind that is being answered.

        Of those that wait the newest counts. Without a nursery nobody is there to be answered any more.
        """
        kind = type(question)
        begun = kind in self._unanswered
        self._unanswered[kind] = question
        if not begun and nursery is not None:
            nursery.start_soon(guarded, partial(self._answer, kind), self._session)

    async def _answer(self, kind: type[Question]) -> None:
        """Answer the newest question of a kind, until there is none. Raises `RefusedError`."""
        while (question := self._unanswered[kind]) is not None:
            self._unanswered[kind] = None
            match question:
                case NewsWanted():
                    await self._tell_news(question)
                case ParcelsWanted():
                    await self._tell_parcels(question)
                case ConsistencyWanted():
                    await self._prove(question)
                case SpareWanted():
                    await self._tell_spare(question)
                case _:
                    assert_never(question)
        del self._unanswered[kind]

    def changed(self, notice: RepositoryChanged, nursery: trio.Nursery | None) -> None:
        """Tell of new metadata, with what the endpoint would ask for next: that is a round trip less."""
        session = self._session
        asks_by_itself = notice.timestamp or NewsWanted in self._unanswered or UNASKED_NEWS not in session.features
        if asks_by_itself or session.trusts is None or nursery is None:
            session.outbox.put("changed", notice)
        else:
            root, snapshot = session.trusts
            wanted = NewsWanted(root=root, snapshot=snapshot)
            nursery.start_soon(guarded, partial(self._change, notice, wanted), session)

    async def _change(self, notice: RepositoryChanged, wanted: NewsWanted) -> None:
        news = await self._news(wanted)
        if not news.files and news.torrent is None:
            self._session.outbox.put("changed", notice)
            return
        since = {"root": wanted.root, "snapshot": wanted.snapshot}
        self._session.outbox.put_paid(replace(news, **since, timestamp_version=notice.timestamp_version))

    async def _tell_news(self, wanted: NewsWanted) -> None:
        self._session.outbox.put_paid(await self._news(wanted))

    async def _news(self, wanted: NewsWanted) -> News:
        """Return what is new in the form that this endpoint reads, and note what it has then."""
        connection = self._session.connection
        reader = Reader.KEEPER if wanted.everything else self._reader
        news = await self._parts.news.answer(wanted, connection.address, connection.endpoint, reader)
        self._session.trusts = self._parts.news.leads_to(wanted.root, news)
        if news.torrent is not None:
            self._may_ask_again([news.torrent])
        return news

    def _may_ask_again(self, told: Iterable[NewsTorrent]) -> None:
        """Note that these torrents are here now: the endpoint may have asked for some when they were not."""
        if self._session.told_unavailable:  # mostly it has not: then none has to be made for its hash
            self._session.told_unavailable -= {make_torrent(each).torrent_hash for each in told}

    async def _tell_parcels(self, wanted: ParcelsWanted) -> None:
        session, live = self._session, self._live
        if not all(PARCELS in other.features for other in live.sessions.values()):
            wanted = replace(wanted, torrents=b"")  # one that takes none would be sent the same once more
        try:
            told = await self._parts.parcels.answer(wanted, live.site.name, live.ledger)
        except DecodeError as error:
            raise RefusedError(f"impossible message: {error}") from error
        self._may_ask_again(parcel.torrent for parcel in told.parcels)
        session.outbox.put("parcels", told)

    async def _tell_spare(self, wanted: SpareWanted) -> None:
        live = self._live
        try:
            told = await self._parts.spares.answer(
                wanted, self._session.endpoint, live.site.name, live.ledger, live.sessions
            )
        except DecodeError as error:
            raise RefusedError(f"impossible message: {error}") from error
        self._session.outbox.put("spare", told)

    @property
    def _reader(self) -> Reader:
        if CHANGED_NEWS not in self._session.features:
            return Reader.OF_WHOLE_FILES
        swapping = [other for other in self._live.sessions.values() if SHARED_NEWS in other.features]
        alone = self._session not in swapping or len(swapping) < 2
        return Reader.WITH_NEIGHBOURS if not alone and self._live.may_send(trio.current_time()) else Reader.ALONE

    async def _prove(self, wanted: ConsistencyWanted) -> None:
        if (answer := await self._parts.proofs.answer(wanted)) is not None:
            self._session.outbox.put("consistency", answer)
