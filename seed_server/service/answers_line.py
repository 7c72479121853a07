"""What paces the web part's answers: the origin part, whose controllers know each site's line."""

from collections import OrderedDict

import trio

from bandwidth.core.frontier import HEADROOM
from bandwidth.core.units import BytesPerSecond, line_share
from p2pdist.shared.channel import ChannelEndedError
from p2pdist.shared.identifiers import EndpointId
from seed_server.line.metadata_line import AnswerPace, AnswersLine, MetadataLine
from seed_server.line.other_traffic import OtherTraffic
from seed_server.line.site_map import automatic_site_of
from seed_server.line.site_rate import METADATA_LEAST_RATE, METADATA_SHARE, Line, SiteRate
from seed_server.service.link import PartLink
from seed_server.service.messages import FromOriginPart, NoTurn, SmallAnswer, Turn, WantTurn

MAX_SLOW_SITES = 20_000  # of which something was asked while the origin part was gone; the longest unasked go first


class LineOfOriginPart:
    """Asks the origin part for each part of an answer; while that is gone, each site has a small fixed rate."""

    def __init__(self, link: PartLink[FromOriginPart], egress_mbit: float) -> None:
        """``egress_mbit``: as in the settings; metadata get the same part of it as at the origin part."""
        self._link = link
        egress = BytesPerSecond(line_share(egress_mbit, HEADROOM) // METADATA_SHARE) if egress_mbit else None
        self._alone = MetadataLine(SlowSites(), egress=egress, others=OtherTraffic())

    def answer(self, address: str, endpoint: EndpointId, *, rank: int = 0) -> AnswerPace:
        """Return what paces an answer to ``address``; one of a lower ``rank`` goes first."""
        return _AnswerOverLink(self._link, self._alone, address, endpoint, rank)

    def sent(self, address: str, count: int) -> None:
        """Count a small answer to anybody, which is not delayed."""
        self._link.tell(SmallAnswer(address, count))


class _AnswerOverLink:
    """Paces one answer."""

    def __init__(
        self, link: PartLink[FromOriginPart], alone: AnswersLine, address: str, endpoint: EndpointId, rank: int
    ) -> None:
        self._link = link
        self._alone = alone
        self._alone_pace: AnswerPace | None = None
        self._address = address
        self._endpoint = endpoint
        self._rank = rank
        self._begun: int | None = None

    async def may_send(self, wanted: int) -> int:
        """Wait until something may be sent; return how much of ``wanted`` bytes, which counts as sent."""
        try:
            turn = await self._link.ask(
                lambda call: WantTurn(call, self._address, self._endpoint, self._rank, self._begun, wanted),
                abandon=NoTurn,
            )
        except ChannelEndedError:
            self._begun = None  # the next origin part has an order of its own
            if self._alone_pace is None:
                self._alone_pace = self._alone.answer(self._address, self._endpoint, rank=self._rank)
            return await self._alone_pace.may_send(wanted)
        assert isinstance(turn, Turn)
        self._begun = turn.begun
        return min(turn.count, wanted)


class SlowSites:
    """The sites as they are seen while nothing is known of their lines: each has the least rate that metadata have."""

    def __init__(self, *, max_sites: int = MAX_SLOW_SITES) -> None:
        self._max_sites = max_sites
        self._rates: OrderedDict[str, SiteRate] = OrderedDict()

    def rate_towards(self, address: str, endpoint: EndpointId) -> SiteRate:  # noqa: ARG002 - nobody is connected here
        """Return the rate of the site that an address would be in if no site map named it."""
        site = automatic_site_of(address).name
        rate = self._rates.get(site)
        if rate is None:
            rate = self._rates[site] = SiteRate(Line(ceiling=METADATA_LEAST_RATE), trio.current_time())
        self._rates.move_to_end(site)
        while len(self._rates) > self._max_sites:
            self._rates.popitem(last=False)
        return rate

    def known_rate(self, address: str) -> SiteRate | None:
        """Return nothing: where no pieces are sent, nothing gives way."""
