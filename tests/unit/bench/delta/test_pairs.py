from bench.delta.pairs import PAIRS, pair_named


def test_twelve_pairs_at_least_and_each_of_two_files() -> None:
    assert len(PAIRS) >= 12
    files = [release.sha256 for pair in PAIRS for release in (pair.former, pair.new)]
    assert len(set(files)) == 2 * len(PAIRS)
    assert all(len(sha256) == 64 for sha256 in files)


def test_a_package_whose_name_tells_the_version() -> None:
    kernel = pair_named("linux-image")
    names = (kernel.package_of(kernel.former), kernel.package_of(kernel.new))
    assert names == ("linux-image-6.1.0-56-amd64", "linux-image-6.1.0-57-amd64")
    numpy = pair_named("numpy")
    assert (numpy.package_of(numpy.new), numpy.suffix, kernel.suffix) == ("numpy", ".whl", ".deb")
