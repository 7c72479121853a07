"""A company whose patch is on its way, for the tests of these pages."""

import pytest

from tests.helpers.report_company import with_reports
from tests.helpers.rollout_company import Company


@pytest.fixture
def reported(company: Company) -> Company:
    return with_reports(company)
