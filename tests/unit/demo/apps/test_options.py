import pytest

from proa.demo.apps.options import read_options


def test_flags_win_over_the_environment() -> None:
    options = read_options(
        "reviews", ["--version", "v3", "--port", "9081"], {"PORT": "1", "SERVICE_VERSION": "v2"}
    )
    assert (options.version, options.port, options.name) == ("v3", 9081, "reviews-v3")


def test_port_and_version_come_from_the_environment() -> None:
    options = read_options("details", [], {"PORT": "9082", "SERVICE_VERSION": "v2"})
    assert (options.version, options.port) == ("v2", 9082)


def test_a_pod_may_be_named() -> None:
    assert read_options("details", ["--pod", "left"], {"PORT": "1"}).name == "left"


def test_a_missing_port_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        read_options("details", [], {})
    assert ended.value.code == 2
    assert "PORT" in capsys.readouterr().err


def test_neighbours_are_found_by_name() -> None:
    options = read_options("productpage", [], {"PORT": "1"})
    assert options.details_url == "http://details:9080"
    assert options.reviews_url == "http://reviews:9080"
    assert options.ratings_url == "http://ratings:9080"


def test_neighbours_may_be_named_as_in_the_public_sample() -> None:
    environ = {
        "PORT": "1",
        "SERVICES_DOMAIN": "default.svc",
        "DETAILS_HOSTNAME": "facts",
        "RATINGS_SERVICE_PORT": "9999",
        "REVIEWS_SERVICE_PORT": "tcp://10.0.0.1:9080",
    }
    options = read_options("productpage", [], environ)
    assert options.details_url == "http://facts.default.svc:9080"
    assert options.ratings_url == "http://ratings.default.svc:9999"
    assert options.reviews_url == "http://reviews.default.svc:9080"


def test_reviews_wait_longer_for_ratings_than_productpage_for_reviews() -> None:
    assert read_options("reviews", [], {"PORT": "1"}).ratings_timeout == 10
    assert read_options("productpage", [], {"PORT": "1"}).reviews_timeout == 3
    assert read_options("reviews", ["--ratings-timeout", "0.5"], {"PORT": "1"}).ratings_timeout == 0.5
