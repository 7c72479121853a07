"""`p2pdist.shared.manifest.cves`: what is a CVE number, at its limits and over them."""

import pytest

from p2pdist.shared.manifest.cves import MAX_CVE_CHARS, is_cve


@pytest.mark.parametrize("text", ["CVE-1999-0001", "CVE-2026-1234", "CVE-2026-10000", "CVE-2026-1234567890"])
def test_a_cve_number_is_one(text: str) -> None:
    assert is_cve(text)
    assert len(text) <= MAX_CVE_CHARS


@pytest.mark.parametrize(
    "text",
    [
        "", "CVE-2026-123", "CVE-2026-01234", "CVE-2026-12345678901", "cve-2026-1234", "CVE-26-1234", "CVE-2026-1234 ",
        "CVE-2026-1234\n", "CVE-2026-１２３４", "CVE-2026-12e4", "XCVE-2026-1234",
    ],
)  # fmt: skip
def test_what_is_none_is_not(text: str) -> None:
    assert not is_cve(text)
