from replay_cli.moengage.regions import MAX_RPS, REGIONS


def test_the_regions_are_the_documented_ones() -> None:
    assert list(REGIONS.items()) == [
        ("DC_01", "https://api-01.moengage.com"),
        ("DC_02", "https://api-02.moengage.com"),
        ("DC_03", "https://api-03.moengage.com"),
        ("DC_04", "https://api-04.moengage.com"),
        ("DC_05", "https://api-05.moengage.com"),
    ]


def test_the_quota_is_the_documented_one() -> None:
    assert MAX_RPS == 500
