"""`bench.audit`: that nothing was looked up is never taken for good news."""

from typing import Any

from bench.audit import FOUND, LOCK, NOT_LOOKED_UP, findings_in, words_on


def package(name: str, *weaknesses: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "version": "1.0", "vulns": list(weaknesses)}


def skipped(name: str) -> dict[str, Any]:
    return {"name": name, "skip_reason": f"Dependency not found on PyPI and could not be audited: {name} (1.0)"}


def test_nothing_known() -> None:
    findings = findings_in({"dependencies": [package("trio"), package("rich")], "fixes": []})
    assert findings.exit_code == 0
    assert words_on(findings) == "No weakness is known of the 2 locked packages."


def test_known_weaknesses_are_named_with_their_mending() -> None:
    known = package("trio", {"id": "PYSEC-1", "fix_versions": ["1.1"]}, {"id": "PYSEC-2", "fix_versions": []})
    findings = findings_in({"dependencies": [known, skipped("rich")]})
    assert findings.exit_code == FOUND
    assert "trio 1.0: PYSEC-1, mended in 1.1\ntrio 1.0: PYSEC-2, not mended yet\n" in words_on(findings)
    assert "1 of 2 packages could not be looked up (rich)" in words_on(findings)


def test_packages_that_were_not_looked_up_are_an_error_though_pip_audit_is_content() -> None:
    names = [f"p{number}" for number in range(7)]
    findings = findings_in({"dependencies": [*map(skipped, names), package("trio")]})
    assert findings.exit_code == NOT_LOOKED_UP
    assert "7 of 8 packages could not be looked up (p0, p1, p2, p3, p4, …)" in words_on(findings)


def test_an_empty_report_is_no_good_news() -> None:
    assert findings_in({"dependencies": []}).exit_code == NOT_LOOKED_UP


def test_the_lock_is_where_it_is_looked_for() -> None:
    assert LOCK.is_file()
