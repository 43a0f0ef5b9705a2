"""What a subscriber writes."""

import pytest

from proa.core.pilot.xds.delta_client import DeltaClient
from proa.core.pilot.xds.wire import Request, decode_request, encode_resource, encode_response
from proa.testing.xds import CLUSTER, ENDPOINT, fake_resource


def read(requests: tuple[bytes, ...]) -> list[Request]:
    return [decode_request(body) for body in requests]


def endpoints(nonce: str, *names: str, removed: tuple[str, ...] = ()) -> bytes:
    pieces = [encode_resource(fake_resource(ENDPOINT, name, "1")) for name in names]
    return encode_response(ENDPOINT, nonce, pieces, removed)


def test_wishes_from_before_the_stream_are_asked_for_when_it_opens() -> None:
    client = DeltaClient()
    assert client.subscribe(CLUSTER, wildcard=True) == ()
    assert client.subscribe(ENDPOINT, ["a", "b"]) == ()
    assert client.unsubscribe(ENDPOINT, ["b"]) == ()
    cluster, endpoint = read(client.start(known={ENDPOINT: {"a": "1", "unwanted": "1"}}))
    assert (cluster.type_url, cluster.subscribe) == (CLUSTER.url, ("*",))
    assert (endpoint.subscribe, endpoint.initial) == (("a",), {"a": "1"})


def test_only_news_is_asked_for_unless_asked_again() -> None:
    client = DeltaClient()
    client.start()
    assert read(client.subscribe(ENDPOINT, ["a"])) == [Request(type_url=ENDPOINT.url, subscribe=("a",))]
    assert client.subscribe(ENDPOINT, ["a"]) == ()
    assert read(client.resubscribe(ENDPOINT, "a")) == [Request(type_url=ENDPOINT.url, subscribe=("a",))]
    assert read(client.unsubscribe(ENDPOINT, ["a", "z"])) == [
        Request(type_url=ENDPOINT.url, unsubscribe=("a",))
    ]
    assert client.subscribe(CLUSTER, wildcard=True)
    assert read(client.unsubscribe(CLUSTER, wildcard=True))[0].unsubscribe == ("*",)


def test_a_response_is_held_until_the_verdict() -> None:
    client = DeltaClient()
    client.subscribe(ENDPOINT, ["a", "b"])
    client.start()
    received = client.receive(endpoints("n", "a", "b"))
    assert [resource.name for resource in received.changed] == ["a", "b"]
    assert client.held(ENDPOINT) == {}
    assert read(client.ack("n")) == [Request(type_url=ENDPOINT.url, nonce="n")]
    assert client.held(ENDPOINT) == {"a": "1", "b": "1"}
    assert client.ack("n") == ()
    client.receive(endpoints("m", removed=("b",)))
    client.ack("m")
    (request,) = read(client.start())
    assert request.initial == {"a": "1"}


def test_a_refusal_changes_nothing_held() -> None:
    client = DeltaClient()
    client.subscribe(ENDPOINT, ["a"])
    client.start()
    client.receive(endpoints("n", "a"))
    assert read(client.nack("n", "no")) == [Request(type_url=ENDPOINT.url, nonce="n", error="no")]
    assert client.held(ENDPOINT) == {}
    assert client.nack("n", "no") == ()


def test_nonces_end_with_their_stream() -> None:
    client = DeltaClient()
    client.subscribe(ENDPOINT, ["a"])
    client.start()
    client.receive(endpoints("n", "a"))
    client.stop()
    assert client.ack("n") == ()
    with pytest.raises(ValueError, match="DeltaDiscoveryResponse"):
        client.receive(b"\xff\xff")
