from seed_server.reporting.owners import read_owners
from seed_server.store.people_rows import PersonRow
from tests.helpers.rollout_company import Company


def test_the_contact_of_the_site_is_asked_else_who_looks_after_it(reported: Company) -> None:
    for name, roles, disabled in (
        ("eve", ("viewer",), False), ("old", ("operator",), True), ("ops", ("operator",), False),
    ):  # fmt: skip
        reported.database.add_person(
            PersonRow(name, roles, ("osaka", "leeds"), (), 1.0, "local:ada", disabled=disabled)
        )
    owners = read_owners(reported.context, reported.database)
    assert [owners.of(site) for site in ("osaka", "leeds", "oslo", "")] == ["Sato, 06-0000-0000", "ops", "", ""]


def test_a_site_map_that_cannot_be_read_stops_no_report(reported: Company) -> None:
    reported.context.home.sites.write_text("[[site]]")
    assert read_owners(reported.context, reported.database).of("osaka") == ""
