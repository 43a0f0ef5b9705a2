from immutables import Map

from proa.core.auth.authorization.request import Request, runs, spiffe_parts


def test_parts_of_a_request() -> None:
    request = Request(headers=(("X-A", "1"), ("x-a", "2")), claims=Map({"iss": "i", "a": {"b": "c"}}))
    assert (request.header("x-a"), request.header("x-b")) == ("1,2", None)
    assert (request.claim(("a", "b")), request.claim(("a", "x")), request.told(("f",))) == ("c", None, None)
    assert request.request_principal == "", "a token without a subject is nobody"
    assert Request(claims=Map({"iss": "i", "sub": "s"})).request_principal == "i/s"


def test_parts_of_a_principal() -> None:
    assert spiffe_parts("td/ns/a/sa/b") == ("td", "a", "b")
    assert spiffe_parts("td/proa/node/a") == ("td", "", "")


def test_runs() -> None:
    assert list(runs(["a", " b"])) == ["a", "a, b", "b"]
