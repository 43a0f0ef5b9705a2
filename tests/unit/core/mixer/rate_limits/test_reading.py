from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.asked import Place, RequestBag
from proa.core.mixer.rate_limits.reading import read_entries


def bag(*entries: tuple[str, str]) -> RequestBag:
    return RequestBag(read_entries(entries)[0], Place(), None)


def test_headers_are_there_or_not() -> None:
    found = bag(("h:x-a", ""), ("h::path", "/p?q"))
    headers = found.get("request.headers")
    assert isinstance(headers, dict)
    assert headers == {"x-a": "", ":path": "/p?q"}
    assert found.get("request.path") == "/p?q"


def test_who_calls() -> None:
    found = bag(("u", "spiffe://cluster.local/ns/a/sa/b"), ("a", "10.0.0.9"), ("s", "name"))
    assert found.get("source.principal") == "cluster.local/ns/a/sa/b"
    assert found.get("source.ip") == bytes((10, 0, 0, 9))
    assert found.get("connection.requested_server_name") == "name"
    assert found.get("connection.mtls") is True
    assert bag().get("source.principal") is None
    assert bag().get("connection.mtls") is False


def test_claims_are_texts_and_a_token_without_them_is_a_token() -> None:
    assert bag(("c:sub", "ann"), ("j", "yes")).get("request.auth.claims") == {"sub": "ann"}
    assert bag(("j", "yes")).get("request.auth.claims") == {}
    assert bag().get("request.auth.claims") is None


def test_the_first_of_a_list_is_no_text() -> None:
    found = bag(("l:aud", "shop"), ("j", "yes"))
    assert found.get("request.auth.audiences") == "shop"
    assert found.get("request.auth.claims") == {}
    both = bag(("c:aud", "shop"), ("l:aud", "shop"), ("j", "yes"))
    assert both.get("request.auth.audiences") == "shop"
    assert both.get("request.auth.claims") == {"aud": "shop"}


def test_a_request_is_told_from_others_by_what_its_caller_does_not_choose() -> None:
    asked, name = read_entries([("i", "7"), ("m", "2026-11-23T03:44:40.986586+00:00")])
    assert name == "7@2026-11-23T03:44:40.986586+00:00"
    assert asked.nanoseconds % 10**9 == 986586000
    assert read_entries([("i", "7")])[1] == ""
    assert read_entries([("h:x-request-id", "a")])[1] == ""


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), max_size=8))
def test_anything_can_be_read(entries: list[tuple[str, str]]) -> None:
    asked, _ = read_entries(entries)
    RequestBag(asked, Place(), None).get("request.auth.claims")
