"""Signed profiles of sites: what is believed of them."""

import pytest

from p2pdist.shared.identifiers import SiteName
from p2pdist.shared.manifest.documents import DecodeError
from p2pdist.shared.manifest.site_profile import SiteProfile, decode_site_profile, encode_site_profile, profile_target
from seed_server.signing.profiles import parsed_profiles

TEXT = 'name = "Office"\ntime_zone = "UTC"\n[[limit]]\nname = "low"\ncap = "8 Mbit/s"\n'


def test_document_of_another_site_is_not_believed() -> None:
    data = encode_site_profile(SiteProfile(format=1, site="oslo", text=TEXT))
    assert parsed_profiles({profile_target(SiteName("bergen")): data}) == {}
    assert list(parsed_profiles({profile_target(SiteName("oslo")): data, "profiles/x.profile": b"junk"})) == ["oslo"]


@pytest.mark.parametrize("wrong", [{"site": "o slo"}, {"text": "nonsense"}, {"format": 2}, {"text": "x" * (1 << 20)}])
def test_document_with_a_wrong_value(wrong: dict) -> None:
    values = {"format": 1, "site": "oslo", "text": TEXT} | wrong
    with pytest.raises(DecodeError):
        decode_site_profile(encode_site_profile(SiteProfile(**values)))
