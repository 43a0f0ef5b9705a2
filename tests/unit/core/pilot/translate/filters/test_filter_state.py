"""Facts handed down from a route."""

from proa.core.pilot.translate.filters.filter_state import as_stream, fall_back_to, follow_client


def test_a_tunnel_knows_where_raw_streams_go_and_nothing_behind_it_does() -> None:
    (value,) = fall_back_to("outbound|80||a").on_request_headers
    assert value.object_key == "envoy.tcp_proxy.cluster"
    assert value.format_string.text_format_source.inline_string == "outbound|80||a"
    assert value.shared_with_upstream == value.ONCE


def test_the_alpn_follows_the_client_or_says_a_raw_stream() -> None:
    (follow,) = follow_client().on_request_headers
    assert "istio-h2" in follow.format_string.text_format_source.inline_string
    (stream,) = as_stream().on_new_connection
    assert stream.format_string.text_format_source.inline_string == "istio"
