"""`seed-server metrics`, as the textfile collector has it."""

from pathlib import Path

from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from seed_server.automation.metrics_table import SERVER_METRICS
from seed_server.commands.main import seed_server
from tests.helpers.command_results import shown
from tests.helpers.people import new_home


def test_the_text_is_what_the_parser_of_prometheus_reads(tmp_path: Path) -> None:
    home = new_home(tmp_path)
    text = shown(CliRunner().invoke(seed_server, ["metrics", "--home", str(home.root)]))
    families = {family.name: family for family in text_string_to_metric_families(text)}
    known = {metric.name.removesuffix("_total"): metric for metric in SERVER_METRICS}
    assert families.keys() <= known.keys()
    for name, family in families.items():
        assert (family.type, family.documentation) == (known[name].kind, f"{known[name].help}.")
        assert {tuple(sorted(sample.labels)) for sample in family.samples} == {tuple(sorted(known[name].labels))}
    assert {sample.labels["state"] for sample in families["seed_server_rollouts"].samples} >= {"running", "halted"}
