from seed_server.reporting.words import day, minute, percent_down


def test_a_share_is_never_shown_as_more_than_it_is() -> None:
    assert [percent_down(share) for share in (None, 0.0, 0.94999, 0.95, 1.0, 2 / 3)] == [
        "–", "0.0 %", "94.9 %", "95.0 %", "100.0 %", "66.6 %",
    ]  # fmt: skip


def test_moments_are_utc() -> None:
    assert (minute(1_800_000_000.0), day(1_800_000_000.0)) == ("2027-01-15 08:00 UTC", "2027-01-15")
