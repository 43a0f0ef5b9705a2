"""The filters that ask. What they do with requests is tried in an Envoy: tests/mesh/test_verdicts.py."""

from collections.abc import Sequence

from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import ExtAuthz
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.ext_authz.v3.ext_authz_pb2 import ExtAuthz as StreamExtAuthz

from proa.core.mixer.needs import Checked
from proa.core.pilot.simulate.resources import unpack
from proa.core.pilot.translate.filters.mixer.checks import (
    check_filters,
    stream_check_filters,
)

CLOSED = Checked(policy="closed", rules=(), deadline_ms=500, digest="d")
OPEN = Checked(policy="open", rules=(), deadline_ms=2000, digest="d")


def asking(checks: Sequence[Checked], *, has_peer: bool = True) -> list[ExtAuthz]:
    first, *others = check_filters(checks, 80, has_peer=has_peer)
    assert first.name == "proa.mixer.kept"
    assert unpack(first.typed_config, Lua) is not None
    return [found for each in others if (found := unpack(each.typed_config, ExtAuthz))]


def test_nothing_stands_there_without_checks() -> None:
    assert check_filters((), 80, has_peer=True) == []


def test_each_policy_is_asked_for_and_fails_in_its_own_way() -> None:
    closed, opens = asking((CLOSED, OPEN))
    assert (closed.failure_mode_allow, opens.failure_mode_allow) == (False, True)
    assert closed.status_on_error.code == 503
    for each, policy in ((closed, "closed"), (opens, "open")):
        said = {header.key: header.value for header in each.grpc_service.initial_metadata}
        assert said == {"proa-port": "80", "proa-on-failure": policy}
        assert each.filter_enabled_metadata.path[0].key == policy
        assert each.filter_enabled_metadata.invert
        assert each.include_peer_certificate


def test_a_call_has_what_its_slowest_handler_may_take() -> None:
    (opens,) = asking((OPEN,))
    assert opens.grpc_service.timeout.ToMilliseconds() == 2000


def test_where_mesh_tls_does_not_end_no_certificate_is_told() -> None:
    (closed,) = asking((CLOSED,), has_peer=False)
    assert not closed.include_peer_certificate
    assert ("proa-peer", "none") in [(each.key, each.value) for each in closed.grpc_service.initial_metadata]


def test_other_rules_make_another_script_so_that_all_is_forgotten() -> None:
    def source(digest: str) -> str:
        checked = Checked(policy="closed", rules=(), deadline_ms=500, digest=digest)
        found = unpack(check_filters((checked,), 80, has_peer=True)[0].typed_config, Lua)
        assert found is not None
        return found.default_source_code.inline_string

    assert source("a") != source("b")


def test_connections_are_asked_about_each_time() -> None:
    closed, opened = (
        StreamExtAuthz.FromString(each.typed_config.value)
        for each in stream_check_filters((CLOSED, OPEN), 3306, has_peer=True)
    )
    assert (closed.failure_mode_allow, opened.failure_mode_allow) == (False, True)
    assert closed.include_peer_certificate
    assert closed.include_tls_session
    assert closed.grpc_service.timeout.ToMilliseconds() == CLOSED.deadline_ms
    said = {each.key: each.value for each in opened.grpc_service.initial_metadata}
    assert said == {"proa-port": "3306", "proa-on-failure": "open"}
    (stranger,) = stream_check_filters((CLOSED,), 3306, has_peer=False)
    assert not StreamExtAuthz.FromString(stranger.typed_config.value).include_peer_certificate
