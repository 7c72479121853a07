"""`seed_server.reporting.compliance_pictures`: how large a part is done, drawn."""

from xml.etree import ElementTree as ET

from seed_server.reporting.compliance import Compliance, ComplianceDay, ComplianceOfRule
from seed_server.reporting.compliance_pictures import MOST_RULES_DRAWN, compliance_picture
from seed_server.settings.sections import SlaRule

NOW = 1_800_230_400.0


def found(rules: int = 0, *, done: int = 50, name: str = "week") -> Compliance:
    days = [ComplianceDay(NOW - 86_400 * back, 100 if back < 20 else 0, done + 20 - back) for back in range(29, -1, -1)]
    under = [ComplianceOfRule(SlaRule(name=f"{name}{n}", share_percent=95, days=7), 1, days) for n in range(rules)]
    return Compliance(NOW, 10, 10, days, under, [])


def drawn(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter() if node.tag.endswith("title")]


def test_all_patches_and_some_rules_are_lines() -> None:
    assert drawn(compliance_picture(found(2)))[1:] == ["all patches", "week0", "week1"]
    assert len(drawn(compliance_picture(found(9)))) == 2 + MOST_RULES_DRAWN


def test_the_scale_begins_where_the_lines_do_when_nearly_all_is_done() -> None:
    assert ">0<" in compliance_picture(found(done=20))
    nearly = compliance_picture(found(done=75))
    assert ">0<" not in nearly
    assert ">80<" in nearly


def test_a_rule_s_name_is_text() -> None:
    assert "<script" not in compliance_picture(found(1, name="<script>"))


def test_nothing_at_all_is_a_picture_too() -> None:
    assert drawn(compliance_picture(Compliance(NOW, 0, 0, [], [], [])))


def test_a_day_alone_can_be_seen() -> None:
    days = [ComplianceDay(NOW - 86_400, 0, 0), ComplianceDay(NOW, 10, 5)]
    (line,) = [node for node in ET.fromstring(compliance_picture(Compliance(NOW, 10, 1, days, [], []))).iter() if "points" in node.attrib]  # fmt: skip  # noqa: E501
    first, last = (point.split(",") for point in line.attrib["points"].split())
    assert (float(first[0]) < float(last[0]), first[1]) == (True, last[1])
