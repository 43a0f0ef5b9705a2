import pytest
from envoy.service.ratelimit.v3.rls_pb2 import RateLimitRequest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.mixer.rate_limits.request_message import (
    Descriptor,
    LimitRequest,
    Unreadable,
    read_request,
)

texts = st.text(max_size=20)


@given(
    texts,
    st.lists(
        st.tuples(st.lists(st.tuples(texts, texts), max_size=3), st.none() | st.integers(0, 9)), max_size=3
    ),
    st.integers(0, 2**32 - 1),
)
def test_it_is_the_message_of_envoy(
    domain: str, descriptors: list[tuple[list[tuple[str, str]], int | None]], hits: int
) -> None:
    message = RateLimitRequest(domain=domain, hits_addend=hits)
    for entries, own in descriptors:
        added = message.descriptors.add()
        for key, value in entries:
            added.entries.add(key=key, value=value)
        if own is not None:
            added.hits_addend.value = own
    assert read_request(message.SerializeToString()) == LimitRequest(
        domain=domain,
        descriptors=tuple(Descriptor(entries=tuple(entries), hits=own) for entries, own in descriptors),
        hits=hits or 1,
    )


def test_bytes_that_are_no_text_make_nobody_unreadable() -> None:
    """As a real Envoy sent it (tests/mesh/test_rate_limits.py), shortened."""
    found = read_request(b"\n\x01d\x12\x0f\n\r\n\x05h:x-a\x12\x04a\xff\xc3b")
    assert found.descriptors[0].entries == (("h:x-a", "a!!b"),)


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(Unreadable):
        read_request(b"\xff\xff")
