"""`seed_server.service.plan_upkeep`: the plan of a rollout that begins is kept."""

from seed_server.reporting.plan_kept import decode_forecast
from seed_server.service.plan_upkeep import JUST_BEGUN_SECONDS, PlanUpkeep
from tests.helpers.rollout_company import BEGIN, Company


def test_the_plan_of_a_rollout_is_kept_once(company: Company) -> None:
    upkeep = PlanUpkeep(company.context, company.database)
    assert upkeep.look() == 0
    company.start()
    assert [upkeep.look(), upkeep.look()] == [1, 0]
    data = company.database.forecast(1)
    assert data is not None
    assert [site.name for site in decode_forecast(data).sites] == ["osaka"]
    assert decode_forecast(data).made_at == BEGIN


def test_nothing_is_planned_that_has_happened_already(company: Company) -> None:
    company.start()
    company.clock.wall += JUST_BEGUN_SECONDS + 1
    assert PlanUpkeep(company.context, company.database).look() == 0
