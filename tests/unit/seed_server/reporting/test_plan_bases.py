"""`seed_server.reporting.plan_bases`: what crosses the line of a site that has a former version, or none."""

from pathlib import Path

import msgspec
import pytest

from p2pdist.shared.identifiers import PatchRef
from p2pdist.shared.manifest.documents import Payload
from seed_server.deltas.estimate import ExpectedBytes
from seed_server.deltas.prediction import PredictedBase, Prediction
from seed_server.reporting.plan_answers import CODED_TAKEN, FORMER_FILES, read_plan
from seed_server.reporting.plan_bases import BasesThere
from seed_server.reporting.plan_sentences import plan_cells, plan_sentences
from tests.helpers.rollout_company import OTHERS, Company

SHA256 = "a" * 64
PREDICTION = Prediction(
    SHA256,
    1_000,
    ExpectedBytes(600, 500, 700),
    (
        PredictedBase("app@2", "b" * 64, ExpectedBytes(50, 40, 60)),
        PredictedBase("app@1", "c" * 64, ExpectedBytes(90, 80, 100)),
        PredictedBase("app@0", "d" * 64, ExpectedBytes(601, 600, 700)),
    ),
)


def payload(length: int = 1_000, sha256: str = SHA256) -> Payload:
    return Payload(file_name="app.deb", length_bytes=length, sha256=sha256, torrent_hash="e" * 64)


@pytest.mark.parametrize(
    ("there", "count", "used"),
    [
        ((), 600, ()),
        (("app@1",), 90, ("app@1",)),
        (("app@1", "app@2"), 50, ("app@2",)),
        (("app@0",), 600, ()),
    ],
)
def test_the_best_that_a_site_has_is_what_it_is_built_from(
    there: tuple[str, ...], count: int, used: tuple[str, ...]
) -> None:
    bases = BasesThere({SHA256: PREDICTION}, frozenset(there))
    assert bases.line_bytes(payload()) == count
    assert bases.used() == used
    assert bases.smaller


def test_what_was_not_predicted_crosses_as_a_whole() -> None:
    bases = BasesThere({SHA256: PREDICTION}, frozenset({"app@2"}))
    assert bases.line_bytes(payload(999)) == 999
    assert bases.line_bytes(payload(sha256="f" * 64)) == 1_000
    assert bases.used() == ()
    assert not bases.smaller


def test_a_payload_that_does_not_get_smaller_assumes_nothing() -> None:
    whole = Prediction(SHA256, 1_000, ExpectedBytes(1_000, 1_000, 1_000), ())
    bases = BasesThere({SHA256: whole}, frozenset())
    assert bases.line_bytes(payload()) == 1_000
    assert not bases.smaller


def test_a_plan_without_a_prediction_assumes_nothing_of_releases(company: Company) -> None:
    assert CODED_TAKEN not in read_plan(company.context, "office").assumptions


def predicted(company: Company, base: PatchRef) -> None:
    """Keep a prediction for the company's patch."""
    manifest = next(one for one in company.repository.manifests() if one.patch_id == "office")
    one, coded = manifest.payloads[0], company.context.home.coded
    coded.mkdir(exist_ok=True)
    expected = PredictedBase(str(base), "b" * 64, ExpectedBytes(2, 1, 3))
    found = Prediction(one.sha256, one.length_bytes, ExpectedBytes(6, 6, 6), (expected,))
    (coded / f"{one.sha256}.predicted").write_bytes(msgspec.json.encode(found))


def test_a_plan_says_which_sites_build_from_what(company: Company, tmp_path: Path) -> None:
    predicted(company, company.publish_to_nobody("former", tmp_path))
    company.say({OTHERS[0]: "fetching"}, "former")
    plan = read_plan(company.context, "office")
    assert (plan.sites[0].wan_bytes, plan.sites[0].built_from) == (6, ())
    assert FORMER_FILES not in plan.assumptions
    assert CODED_TAKEN in plan.assumptions  # compressed pieces alone already need release 0.3
    company.say({OTHERS[0]: "verified"}, "former")
    plan = read_plan(company.context, "office")
    (site,) = plan.sites
    assert (site.wan_bytes, site.built_from) == (2, ("former@1",))
    assert FORMER_FILES in plan.assumptions
    assert CODED_TAKEN in plan.assumptions
    said = "1 of these sites build it from former@1, which a PC there has: 2 B over their lines."
    assert said in plan_sentences(plan)
    assert list(plan_cells(site))[-1] == "former@1"


def test_a_former_version_of_which_nothing_is_known_is_none(company: Company) -> None:
    predicted(company, PatchRef("office", "never"))
    (site,) = read_plan(company.context, "office").sites
    assert (site.wan_bytes, site.built_from) == (6, ())
