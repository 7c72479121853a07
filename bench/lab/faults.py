"""What goes wrong in a scenario while the file is on its way."""

import trio

from bench.lab.delivery import OurDelivery
from bench.lab.scenario import AWAY_SECONDS, CUT_SECONDS, DROP_AFTER_SECONDS, DROP_SECONDS, DROP_TO_MBIT, Scenario
from bench.lab.topology import Lab

FAULT_AT = 0.3  # of the file


async def cause_fault(scenario: Scenario, lab: Lab, ours: OurDelivery) -> set[int]:
    """Cause the scenario's fault when its time has come; return the PCs that are gone for good."""
    line = lab.branches[0].line
    if scenario.fault == "line drops":
        await trio.sleep(DROP_AFTER_SECONDS)
        await line.set_rate("down", DROP_TO_MBIT)
        await trio.sleep(DROP_SECONDS)
        await line.set_rate("down", scenario.line.down.rate_mbit)
        return set()
    fleet, wanted = ours.fleet, FAULT_AT * scenario.file_bytes
    await fleet.wait_until(
        lambda: sum(ours.bytes_from_origin().values()) >= wanted, scenario.timeout_seconds, "the fault"
    )
    match scenario.fault:
        case "line cut":
            await line.cut()
            await trio.sleep(CUT_SECONDS)
            await line.mend()
        case "server restarted" | "server away":
            await fleet.kill9(fleet.server)
            if scenario.fault == "server away":
                await trio.sleep(AWAY_SECONDS)
            await fleet.start_server()
        case "endpoint killed":
            shares = ours.bytes_from_origin()
            k = max(shares, key=lambda each: shares[each])
            await fleet.kill9(fleet.endpoints[k])
            return {k}
    return set()
