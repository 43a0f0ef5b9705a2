"""One line per request, as JSON, with the peer's identity."""

from proa.core.model.settings import AccessLog
from proa.core.pilot.translate.filters.access_log import build_access_log


def test_a_line_names_the_peer_and_its_direction() -> None:
    body = build_access_log("inbound", AccessLog()).typed_config.value
    assert b"%DOWNSTREAM_PEER_URI_SAN%" in body
    assert b"inbound" in body


def test_a_client_does_not_choose_the_path_in_its_servers_log() -> None:
    assert b"ORIGINAL-PATH" not in build_access_log("inbound", AccessLog()).typed_config.value
    assert b"ORIGINAL-PATH" in build_access_log("outbound", AccessLog()).typed_config.value
