"""`seed_server.reporting.patch_states`: what PCs say, how old that is, and why."""

import pytest

from p2pdist.shared.errors import FaultKind, UserError
from seed_server.fleet.coverage import Reached
from seed_server.fleet.endpoint_operations import deny
from seed_server.reporting.patch_states import read_patch_states
from tests.helpers.report_company import DAY
from tests.helpers.rollout_company import ADA, BEGIN, OTHERS, Company


def test_each_state_has_its_number_and_its_age(reported: Company) -> None:
    states = read_patch_states(reported.context, "office")
    said = {one.state: (one.tone, one.pcs, one.first_at, one.last_at) for one in states.states}
    assert said == {
        "verified": ("good", 5, BEGIN + 3600, BEGIN + 8 * DAY),
        "fetching": ("open", 2, BEGIN + 10 * DAY, BEGIN + 10 * DAY),
        "failed": ("bad", 1, BEGIN + 8 * DAY, BEGIN + 8 * DAY),
        "not_applicable": ("", 1, BEGIN + 3600, BEGIN + 3600),
    }
    assert states.states[0].state == "verified", "what most say comes first"
    assert states.progress.counts[Reached.SILENT] == 1
    assert (states.sent_bytes, states.back) == (0, None)


def test_a_denied_pc_is_in_none(reported: Company) -> None:
    deny(reported.context, ADA, OTHERS[6])
    assert "failed" not in {one.state for one in read_patch_states(reported.context, "office@1").states}


def test_an_unknown_patch_is_refused(company: Company) -> None:
    with pytest.raises(UserError, match="was published here") as error:
        read_patch_states(company.context, "nothing")
    assert error.value.kind is FaultKind.BAD_INPUT
