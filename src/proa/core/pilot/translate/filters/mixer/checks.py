"""The filters that have Mixer asked whether a request may go on: in front the script of kept verdicts, then one call
for the rules that fail closed and one for those that fail open, each only where there is such a rule.

A call takes no longer, way and all, than the slowest handler of its rules may. Mixer decides itself what a failed
handler comes to; when it is not there, or late with its answer, the filter decides, by the same policy.
"""

from collections.abc import Sequence
from typing import Final

from envoy.config.core.v3.base_pb2 import HeaderValue
from envoy.config.core.v3.config_source_pb2 import ApiVersion
from envoy.config.core.v3.extension_pb2 import TypedExtensionConfig
from envoy.config.core.v3.grpc_service_pb2 import GrpcService
from envoy.config.listener.v3.listener_components_pb2 import Filter
from envoy.extensions.filters.http.ext_authz.v3.ext_authz_pb2 import ExtAuthz
from envoy.extensions.filters.http.lua.v3.lua_pb2 import Lua
from envoy.extensions.filters.network.ext_authz.v3.ext_authz_pb2 import ExtAuthz as StreamExtAuthz
from envoy.type.matcher.v3.metadata_pb2 import MetadataMatcher
from envoy.type.matcher.v3.value_pb2 import ValueMatcher
from envoy.type.v3.http_status_pb2 import HttpStatus, StatusCode

from proa.core.mixer.context import written_context
from proa.core.mixer.needs import Checked
from proa.core.mixer.verdict.script import NAMESPACE, script
from proa.core.pilot.translate.encode import millis, pack
from proa.core.pilot.translate.filters.mixer.cluster import mixer_calls
from proa.core.pilot.translate.filters.names import JWT

KEPT: Final = "proa.mixer.kept"


def check_filters(checks: Sequence[Checked], port: int, *, has_peer: bool) -> list[TypedExtensionConfig]:
    """None where there are no checks. All have the digest of the same rules."""
    if not checks:
        return []
    source = script([each.policy for each in checks], checks[0].digest, has_peer=has_peer)
    kept = Lua()
    kept.default_source_code.inline_string = source
    asking = (
        TypedExtensionConfig(
            name=f"proa.mixer.{each.policy}", typed_config=pack(_ask(each, port, has_peer=has_peer))
        )
        for each in checks
    )
    return [TypedExtensionConfig(name=KEPT, typed_config=pack(kept)), *asking]


def _ask(checked: Checked, port: int, *, has_peer: bool) -> ExtAuthz:
    return ExtAuthz(
        transport_api_version=ApiVersion.V3,
        grpc_service=_mixer(checked, port, has_peer=has_peer),
        failure_mode_allow=checked.policy == "open",
        status_on_error=HttpStatus(code=StatusCode.ServiceUnavailable),
        stat_prefix=f"mixer_{checked.policy}",
        include_peer_certificate=has_peer,
        include_tls_session=True,
        metadata_context_namespaces=[JWT],
        filter_enabled_metadata=_unless_known(checked.policy),
    )


def stream_check_filters(checks: Sequence[Checked], port: int, *, has_peer: bool) -> list[Filter]:
    """The same for raw connections: asked when the first bytes of one have come, and nothing is kept."""
    return [
        Filter(
            name=f"proa.mixer.{each.policy}",
            typed_config=pack(
                StreamExtAuthz(
                    transport_api_version=ApiVersion.V3,
                    grpc_service=_mixer(each, port, has_peer=has_peer),
                    failure_mode_allow=each.policy == "open",
                    stat_prefix=f"mixer_{each.policy}",
                    include_peer_certificate=has_peer,
                    include_tls_session=True,
                )
            ),
        )
        for each in checks
    ]


def _mixer(checked: Checked, port: int, *, has_peer: bool) -> GrpcService:
    context = written_context(port, checked.policy, has_peer=has_peer)
    calls = mixer_calls(repeatable=True)
    calls.timeout.CopyFrom(millis(checked.deadline_ms))
    calls.initial_metadata.extend(HeaderValue(key=key, value=value) for key, value in context)
    return calls


def _unless_known(policy: str) -> MetadataMatcher:
    """Whatever else the script says, or if it says nothing: asked."""
    path = [MetadataMatcher.PathSegment(key=policy)]
    return MetadataMatcher(filter=NAMESPACE, path=path, value=ValueMatcher(bool_match=True), invert=True)
