"""Apply the LAN policy: sample this PC and its network, and set the engine's rates.

It samples ten times a second while bytes move between neighbours, and every few seconds while the PC is idle.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal

import trio

from bandwidth.core.reason_seconds import ReasonSeconds
from bandwidth.profiles.model import Profile
from p2pdist.limiter.fitness import FitLimits, Fitness
from p2pdist.limiter.gateway_ping import GatewayPing
from p2pdist.limiter.lan_policy import (
    NOT_SERVED,
    YIELDING,
    LanDecision,
    LanInputs,
    LanPolicy,
    LanReason,
    ProfileAnswer,
    WayDecision,
    helps_less,
)
from p2pdist.limiter.link_probe import LinkProbe
from p2pdist.limiter.link_report import BusinessUsage, LinkLook, LinkMeter
from p2pdist.limiter.profile_answer import blackout_until, profile_answer
from p2pdist.local_api.delivery_answers import LanWay, LimiterAnswer, LineLimit
from p2pdist.pc import process_memory, system
from p2pdist.pc.facts import Surroundings
from p2pdist.pc.network import Medium, NetworkState
from p2pdist.pc.network_look import network_state
from p2pdist.shared.clock import Clock
from p2pdist.shared.lazy_log import lazy_log
from p2pdist.transfer.engine import Engine

SAMPLE_SECONDS = 0.1  # while something moves: the controller needs 10 to 20 samples per second
IDLE_SAMPLE_SECONDS = 5.0  # between samples of an idle PC; a neighbour that connects wakes the limiter
STATE_SECONDS = 5.0  # between looks at what changes seldom: cables, gateway, battery, processor
ACTIVE_BYTES = 16_384  # between two samples: neighbours are swapping; less is keep-alives
ACTIVE_SECONDS = 3.0  # after the last such sample, it goes on as if something moved
PINGS_WITHOUT_ANSWER = 20  # after so many from the start, the gateway is taken for one that answers none
CHANGE_SHARE = 0.02  # a smaller change of a rate is not passed to the engine

log = lazy_log()


@dataclass(frozen=True)
class Reporting:
    """Receives what others use of the network: ten times a second, while it is wanted or neighbours swap."""

    report: Callable[[BusinessUsage], None]
    wanted: Callable[[], bool]
    """Whether this PC fetches over the site's line now."""


@dataclass(frozen=True)
class HelpTerms:
    """How far this PC helps its neighbours."""

    limits: FitLimits = field(default_factory=FitLimits)
    changed: Callable[[], None] = lambda: None
    """Called when it serves or no longer, or helps less or as ever: the server shall know at once."""


class LanLimiter:
    """Decides and sets the rates between this PC and its neighbours. Runs in the daemon's trio thread."""

    def __init__(  # its sources and its receivers
        self,
        engine: Engine,
        around: Surroundings,
        clock: Clock,
        *,
        profile: Callable[[], Profile | None],
        helping: HelpTerms,
        origin_bytes: Callable[[], int] = lambda: 0,
        reporting: Reporting | None = None,
        network_process: Callable[[], int | None] = lambda: None,
    ) -> None:
        self._engine = engine
        self._around = around
        self._clock = clock
        self._profile = profile
        self._origin_bytes = origin_bytes
        self._reporting = reporting
        self._helping = helping
        self._helped = "full"
        self._policy = LanPolicy()
        self._fitness = Fitness(helping.limits)
        self._probe = LinkProbe(clock, network_process)
        self._meter = LinkMeter()
        self._network = NetworkState()
        self._answer = ProfileAnswer()
        self._refusal: LanReason | None = None
        self._ping: GatewayPing | None = None
        self._pings = 0
        self._gateway_answers = False
        self._gateway_seconds: float | None = None
        self._bytes = (0, 0)
        self._rates = (0.0, 0.0)
        self._looked_at = self._state_at = self._active_at = float("-inf")
        self._last: LinkLook | None = None
        self._business_rate = 0.0
        self._applied: LanDecision | None = None
        self._blackout_end: datetime | None = None
        self._wake = trio.Event()
        free = WayDecision(None, LanReason.UNLIMITED)
        self.decision = LanDecision(free, free, serve=True)
        self._seconds = {"upload": ReasonSeconds[LanReason](), "download": ReasonSeconds[LanReason]()}
        self.problem = ""
        """Why the network cannot be looked at, in words; empty while it can."""

    # --- what others ask ----------------------------------------------------------------

    @property
    def may_fetch(self) -> bool:
        """Whether this PC may ask for leases on the site's line."""
        return self._answer.may_fetch and (self.fetch_refusal is None)

    @property
    def network(self) -> NetworkState:
        """The network that this PC is on, as it was seen last."""
        return self._network

    @property
    def is_by_vpn(self) -> bool:
        """Whether this PC reaches its neighbours' network by a VPN."""
        return self._network.medium is Medium.VPN

    @property
    def fetch_refusal(self) -> LanReason | None:
        """Why this PC asks for no leases, if the reason is its fitness and not the profile; else None."""
        here = self._network.medium is Medium.LOOPBACK or self._fitness.may_fetch(trio.current_time())
        return None if here else self._refusal

    @property
    def helps_less(self) -> bool:
        """Whether others should help the site before this PC, because its processor is busy."""
        return helps_less(self._network, busy=self._fitness.busy)

    @property
    def helps(self) -> Literal["full", "less", "none"]:
        """How far it helps its neighbours, as the server is told."""
        return "none" if not self.decision.serve else "less" if self.helps_less else "full"

    @property
    def profile_lets_fetch(self) -> bool:
        """Whether the profile allows the site's line now."""
        return self._answer.may_fetch

    @property
    def problems(self) -> list[str]:
        """The limiter's sentences for `p2pdist status`."""
        reason = self.decision.upload.reason
        said = [self.problem, self._probe.problem]
        if self.helps_less and self.decision.serve:
            share = f"{100 * self._fitness.cpu_share:.0f} %"
            said.append(f"This PC helps its neighbours less now, others go first: the processor is busy ({share}).")
        if not self.decision.serve:
            details = {
                LanReason.REFUSED_BATTERY: f" ({self._network.battery.percent:.0f} %)" if self._network.battery else "",
                LanReason.BLACKOUT: f": {self._answer.rule}{self.blackout_words()}",
            }
            said.append(f"Neighbours are not served now: {NOT_SERVED.get(reason, reason)}{details.get(reason, '')}.")
        return [problem for problem in said if problem]

    @property
    def blackout_until(self) -> datetime | None:
        """Until when the profile allows nothing, or a while from now where that is not known; None: no blackout."""
        # asked anew: a profile may have come, or changed, since the last look
        now = self._moment()
        if not profile_answer(self._profile(), self._around.site() or None, now, self._network.medium).blackout:
            return None
        end = self._blackout_end
        return end if end is not None and end > now else now + timedelta(minutes=1)

    def blackout_words(self) -> str:
        """Return " until HH:MM" in this PC's time during a blackout whose end is known, else ``""``."""
        end = self._blackout_end if self._answer.blackout else None
        return f" until {end.astimezone():%H:%M}" if end is not None else ""

    def status(self, *, site: str | None, server_connection: str, line: LineLimit | None) -> LimiterAnswer:
        """Return the answer to `p2pdist limiter`; the arguments are what the rest of the daemon knows of the line."""
        network, battery = self._network, self._network.battery
        received, sent = self._rates
        self._note(trio.current_time())
        return LimiterAnswer(
            site=site,
            server_connection=server_connection,
            line=line,
            profile=None if (profile := self._profile()) is None else profile.name,
            serves=self.decision.serve,
            upload=self._way("upload", self.decision.upload, sent),
            download=self._way("download", self.decision.download, received),
            yield_seconds=round(
                sum(s for r, s in self._seconds["download"].seconds().items() if r in YIELDING)
                + sum(s for r, s in self._seconds["upload"].seconds().items() if r in YIELDING),
                1,
            ),
            adapts=self._policy.adapts,
            interface=network.interface,
            network=str(network.medium),
            speed=network.speed,
            gateway=network.gateway,
            gateway_milliseconds=None if self._gateway_seconds is None else round(self._gateway_seconds * 1e3, 2),
            business_bytes_per_second=round(self._business_rate),
            cpu_share=round(self._fitness.cpu_share, 3),
            battery_percent=None if battery is None else battery.percent,
            on_mains=None if battery is None else battery.on_mains,
            rule=self._answer.rule,
            blackout=self._answer.blackout,
            problems=self.problems,
        )

    def _way(self, name: str, way: WayDecision, used: float) -> LanWay:
        return LanWay(
            limit=way.rate,
            used=round(used),
            reason=str(way.reason),
            seconds={str(reason): round(s, 1) for reason, s in self._seconds[name].seconds().items()},
        )

    # --- the task -----------------------------------------------------------------------

    def wake(self) -> None:
        """Sample at once, and often for a while: a neighbour has come, or a transfer has begun."""
        self._active_at = trio.current_time()
        self._wake.set()

    async def begin(self) -> None:
        """Sample and set the rates once, before anything moves: a blackout holds from the first byte on."""
        await self._look_around(trio.current_time())
        await self.sample(None, moving=False)

    async def run(self) -> None:
        """Sample, decide and set the rates, until cancelled."""
        was_moving = False
        try:
            while True:
                now = trio.current_time()
                if not 0 <= now - self._state_at < STATE_SECONDS:
                    await self._look_around(now)
                moving = now - self._active_at < ACTIVE_SECONDS
                if was_moving is not moving:
                    self._engine.set_moving(moving)
                if was_moving and not moving:
                    await trio.to_thread.run_sync(process_memory.give_back)
                was_moving = moving
                reporting = self._report_is_wanted(moving=moving)
                if (moving and self._policy.adapts) or reporting:
                    gateway = await self._ping_gateway(moving=moving)
                else:
                    gateway = None
                    self._wake = trio.Event()
                    with trio.move_on_after(SAMPLE_SECONDS if moving else IDLE_SAMPLE_SECONDS):
                        await self._wake.wait()
                await self.sample(gateway, moving=moving, reporting=reporting)
        finally:
            if self._ping is not None:
                self._ping.close()

    async def sample(self, gateway_seconds: float | None, *, moving: bool, reporting: bool = False) -> None:
        """Take one sample, decide, and pass changed rates to the engine."""
        received, sent = await self._engine.lan_bytes()
        now = trio.current_time()
        new = (max(0, received - self._bytes[0]), max(0, sent - self._bytes[1]))
        elapsed = now - self._looked_at
        self._bytes, self._looked_at = (received, sent), now
        if 0 < elapsed < 2 * IDLE_SAMPLE_SECONDS:
            self._rates = (new[0] / elapsed, new[1] / elapsed)
        if sum(new) >= ACTIVE_BYTES:
            self._active_at = now
        look = await self._count(received, sent) if reporting or (moving and self._policy.adapts) else None
        if gateway_seconds is not None:
            self._gateway_seconds = gateway_seconds
        self.decision = self._policy.decide(
            LanInputs(
                network=self._network,
                profile=self._answer,
                refusal=self._refusal,
                busy=self._fitness.busy,
                look=look,
                received_bytes=new[0],
                sent_bytes=new[1],
                gateway_seconds=gateway_seconds,
                gateway_answers=self._gateway_answers,
                idle=not moving,
            ),
            now,
        )
        self._note(now)
        if self._helped != self.helps:
            self._helped = self.helps
            self._helping.changed()
        if self._applied is None or _differs(self._applied, self.decision):
            self._applied = self.decision
            await self._engine.limit_lan(
                upload=self.decision.upload.rate, download=self.decision.download.rate, serve=self.decision.serve
            )

    def _note(self, now: float) -> None:
        self._seconds["upload"].note(self.decision.upload.reason, now)
        self._seconds["download"].note(self.decision.download.reason, now)

    def _report_is_wanted(self, *, moving: bool) -> bool:
        if self._reporting is None or self._network.medium is Medium.LOOPBACK:  # loopback traffic crosses no line
            return False
        return moving or self._reporting.wanted()

    async def _count(self, received: int, sent: int) -> LinkLook | None:
        counted, origin_bytes = self._network.counted, self._origin_bytes()
        raw = await trio.to_thread.run_sync(
            lambda: self._probe.counters(
                counted,
                own_received_bytes=received + origin_bytes,
                own_sent_bytes=sent,
                own_line_bytes=origin_bytes,
            )
        )
        look = self._meter.observe(raw, self._network.speed)
        if look is not None:
            self._business_rate = look.business_bytes_per_second
            if self._reporting is not None:
                self._reporting.report(look.report)
        return look

    async def _look_around(self, now: float) -> None:
        self._state_at = now
        address, before = self._around.address(), self._network
        try:
            self._network, processor = await trio.to_thread.run_sync(self._read_state, address, abandon_on_cancel=True)
        except OSError as error:
            self.problem = f"The network cannot be looked at: {error.strerror}."
            return
        self.problem = ""
        self._refusal = self._fitness.observe(processor, self._network.battery, now)
        await self._ask_profile(self._moment())
        if self._network.gateway != before.gateway:
            self._open_ping()

    def _moment(self) -> datetime:
        return datetime.fromtimestamp(self._clock.now(), UTC)

    async def _ask_profile(self, at: datetime) -> None:
        site, medium, rule_before = self._around.site() or None, self._network.medium, self._answer.rule
        profile = self._profile()
        self._answer = profile_answer(profile, site, at, medium)
        if profile is None or not self._answer.blackout:
            self._blackout_end = None
        elif self._answer.rule != rule_before or (self._blackout_end is not None and self._blackout_end <= at):
            # this searches through days, so it is done once for each blackout
            self._blackout_end = await trio.to_thread.run_sync(blackout_until, profile, site, at, medium)

    def _read_state(self, address: str | None) -> tuple[NetworkState, tuple[float, float]]:
        self._probe.refresh_addresses()
        return network_state(address, self._around.medium), system.processor_seconds()

    def _open_ping(self) -> None:
        if self._ping is not None:
            self._ping.close()
        self._ping, self._pings, self._gateway_answers, self._gateway_seconds = None, 0, False, None
        if self._network.gateway is not None:
            try:
                self._ping = GatewayPing(self._network.gateway, self._clock)
                self._gateway_answers = True
            except OSError as error:
                log.info("the gateway's delay cannot be measured", reason=error.strerror)

    async def _ping_gateway(self, *, moving: bool) -> float | None:
        if self._ping is None or not self._gateway_answers or not (moving and self._policy.adapts):
            await trio.sleep(SAMPLE_SECONDS)
            return None
        found = await self._ping.ping(SAMPLE_SECONDS)
        if found is not None:
            self._pings = -1  # it does answer, so from now on silence is a signal
        elif self._pings >= 0:
            self._pings += 1
            self._gateway_answers = self._pings < PINGS_WITHOUT_ANSWER
        return found


def _differs(old: LanDecision, new: LanDecision) -> bool:
    if old.serve is not new.serve:
        return True
    for before, after in ((old.upload.rate, new.upload.rate), (old.download.rate, new.download.rate)):
        if before is None or after is None:
            if before is not after:
                return True
        elif abs(after - before) > CHANGE_SHARE * before:
            return True
    return False
