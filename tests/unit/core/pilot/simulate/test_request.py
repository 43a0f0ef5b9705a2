"""How a request's headers are read."""

from proa.core.pilot.simulate import Request

REQUEST = Request(authority="a:80", path="/x", headers=(("X-A", "1"), ("x-a", "2")))


def test_headers_are_joined_and_have_no_case() -> None:
    assert REQUEST.header("x-A") == "1,2"
    assert REQUEST.header("x-b") is None


def test_pseudo_headers() -> None:
    assert [REQUEST.header(f":{each}") for each in ("method", "authority", "path", "scheme")] == [
        "GET",
        "a:80",
        "/x",
        "http",
    ]
