"""Every template of rings that a company uses is known by its name, and no other file of the server is read."""

from pathlib import Path

from seed_server.fleet.ring_template_queries import KnownTemplate, read_ring_template, ring_templates
from seed_server.fleet.shipped_rings import SHIPPED_RINGS, shipped_rings
from tests.helpers.rollout_company import Company

OWN = shipped_rings("rings").replace("Five rings in a week", "Our five rings")


def _named(company: Company) -> dict[str, KnownTemplate]:
    return {one.name: one for one in ring_templates(company.context)}


def _settings(company: Company, *lines: str) -> None:
    file = company.context.home.settings
    file.write_text("\n".join([file.read_text(), *lines, ""]))


def test_the_shipped_ones_are_there_and_the_default_is_told(company: Company) -> None:
    found = _named(company)
    assert tuple(found) == SHIPPED_RINGS
    assert found["all-at-once"].uses == ("rollout_template",)
    assert all(one.shipped and one.text and not one.file and not one.problem for one in found.values())
    emergency = found["emergency"].template
    assert emergency is not None
    assert emergency.least_cvss == 9.0


def test_a_file_that_settings_name_is_read_and_its_faults_have_their_lines(company: Company, tmp_path: Path) -> None:
    own, broken = tmp_path / "own.toml", tmp_path / "broken.toml"
    own.write_text(OWN)
    broken.write_text(OWN.replace('soak = "1d"', 'soak = "soon"', 1))
    _settings(company, f'rollout_template = "{own}"', f'emergency_template = "{broken}"')
    found = _named(company)
    template = found["own"].template
    assert template is not None
    assert (template.title, found["own"].file, found["own"].text) == ("Our five rings", str(own), OWN)
    assert found["own"].uses == ("rollout_template",)
    assert found["all-at-once"].uses == ()
    assert found["broken"].template is None
    assert "line 13" in found["broken"].problem
    assert found["broken"].uses == ("emergency_template",)


def test_a_file_that_is_gone_is_said_and_hides_no_other(company: Company, tmp_path: Path) -> None:
    _settings(company, f'rollout_template = "{tmp_path / "gone.toml"}"')
    found = _named(company)
    assert found["gone"].template is None
    assert "gone.toml" in found["gone"].problem
    assert found["rings"].template is not None


def test_rollouts_are_told_and_what_they_alone_know(company: Company) -> None:
    company.start()
    found = _named(company)
    template = found["two"].template
    assert template is not None
    assert [ring.name for ring in template.rings] == ["test", "all"]
    assert [one.row.number for one in found["two"].rollouts] == [1]
    assert (found["two"].text, found["two"].shipped, found["two"].file) == ("", False, "")
    assert list(found["rings"].rollouts) == []


def test_a_name_that_is_a_file_of_the_server_is_nothing(company: Company, tmp_path: Path) -> None:
    (tmp_path / "secret.toml").write_text(OWN)
    for name in (str(tmp_path / "secret.toml"), "secret", "/etc/passwd", "../server", ""):
        assert read_ring_template(company.context, name) is None
    assert read_ring_template(company.context, "rings") is not None
