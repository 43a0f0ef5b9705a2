"""B5, a remote check: what a rule that Mixer has to be asked for costs a pair of sidecars, kept in the proxy and not.

All are the minimal pair, written by hand. `gated` has what our listeners have: the script of kept verdicts, and behind
it the filter that asks unless the script says that it knows. `called` is the other design that was thought of: the
script itself calls on a miss, and an RBAC filter lets nobody through for whom it does not vouch. They take turns at a
fixed rate, first with no verdict kept, then with all of them.
"""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import grpc
from aiohttp import web
from envoy.service.auth.v3.external_auth_pb2 import CheckRequest, CheckResponse

from benchmarks.data_plane.load import CONNECTIONS, Window, fixed_rate, need
from benchmarks.data_plane.minimal import Tree, minimal_pair
from benchmarks.data_plane.pair import check
from benchmarks.data_plane.upstream import start_upstream
from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop
from proa.core.mixer.verdict.keys import Facts, key_of
from proa.core.mixer.verdict.script import NAMESPACE, Told, script
from proa.core.mixer.verdict.shapes import Shape

SHAPE: Final = Shape(("h::path", "h:x-kind", "w"))
WORKLOAD: Final = "client.default.workload.cluster.local"
LIMIT: Final = 1.20
_TYPE: Final = "type.googleapis.com/envoy.extensions.filters.http"

_CALLING: Final = """\
function envoy_on_request(handle)
  local entry = find(handle, handle:streamInfo(), "closed")
  if entry == nil then
    local asking = {[":method"] = "POST", [":path"] = "/check", [":authority"] = "mixer"}
    for name, value in pairs(handle:headers()) do
      if name:sub(1, 1) ~= ":" then asking["x-of-" .. name] = value end
    end
    asking["x-path"] = handle:headers():get(":path")
    asking["x-peer"] = readers.w(handle, handle:streamInfo())
    local told = handle:httpCall("mixer", asking, "", 1000)
    if told[":status"] ~= "200" then return end
    local words = told["x-shape"]:gsub(";", "\\n")
    entry = {
      ends = handle:timestamp() + tonumber(told["x-ttl"]),
      uses = tonumber(told["x-uses"]),
      code = tonumber(told["x-code"]),
    }
    if entry.uses ~= 0 then
      learn(handle, "closed", {
        shape = words, key = told["x-key"], ttl_ms = tonumber(told["x-ttl"]), uses = entry.uses, code = entry.code,
      })
    end
  end
  if entry.code == 200 then handle:streamInfo():dynamicMetadata():set("proa.mixer", "hit", true) end
end
"""
"""What was taken from a handle is of no use after a call."""


class Answering:
    """A Mixer for both designs that says yes and counts. With `keeps` an answer serves for ever."""

    def __init__(self) -> None:
        self.keeps = False
        self.calls = 0
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(4), options=[("grpc.so_reuseport", 0)])
        handler = grpc.unary_unary_rpc_method_handler(
            self._check, CheckRequest.FromString, CheckResponse.SerializeToString
        )
        service = grpc.method_handlers_generic_handler(
            "envoy.service.auth.v3.Authorization", {"Check": handler}
        )
        self._server.add_generic_rpc_handlers((service,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")

    async def start(self, shop: Workshop) -> int:
        """The port of the second design's calls."""
        self._server.start()
        shop.stack().callback(lambda: self._server.stop(None).wait())
        app = web.Application()
        app.router.add_post("/check", self._called)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        shop.stack().push_async_callback(runner.cleanup)
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        return int(runner.addresses[0][1])

    def _told(self, path: str, kind: str | None, workload: str) -> Told:
        with self._lock:
            self.calls += 1
        headers = {":path": path, **({"x-kind": kind} if kind is not None else {})}
        key = key_of(SHAPE, Facts(headers=headers, workload=workload))
        assert key is not None
        return Told(shape=SHAPE, key=key, ttl_ms=3_600_000, uses=-1 if self.keeps else 0)

    def _check(self, request: CheckRequest, context: object) -> CheckResponse:
        headers = request.attributes.request.http.headers
        told = self._told(headers[":path"], headers.get("x-kind"), WORKLOAD)
        response = CheckResponse()
        response.ok_response.SetInParent()
        if self.keeps:
            response.dynamic_metadata.update(told.metadata())
        return response

    async def _called(self, request: web.Request) -> web.Response:
        told = self._told(
            request.headers["x-path"], request.headers.get("x-of-x-kind"), request.headers["x-peer"]
        )
        return web.Response(
            headers={
                "x-shape": told.shape.text.replace("\n", ";"),
                "x-key": told.key,
                "x-ttl": str(told.ttl_ms),
                "x-uses": str(told.uses),
                "x-code": "200",
            }
        )


async def measure_verdicts(shop: Workshop, full: bool) -> Sequence[Figure]:
    need("h2load", "taskset")
    warm, cold = (1000, 300)
    warm_up, seconds, pairs = (3.0, 30.0, 9) if full else (0.5, 3.0, 9)
    app_port, upstream = await start_upstream(shop)
    mixer = Answering()
    http_port = await mixer.start(shop)
    plain = await minimal_pair(shop, app_port)
    gated = await minimal_pair(
        shop, app_port, "gated", filters=_gated(), clusters=[_mixer(mixer.port, is_http2=True)]
    )
    called = await minimal_pair(
        shop, app_port, "called", filters=_called(), clusters=[_mixer(http_port, is_http2=False)]
    )
    conditions: dict[str, float | str] = {
        "seconds": seconds,
        "connections": float(CONNECTIONS),
        "upstream": upstream,
    }

    async def turns(rate: int, label: str) -> tuple[dict[str, list[Window]], float]:
        windows: dict[str, list[Window]] = {each.name: [] for each in (plain, gated, called)}
        before = mixer.calls
        for number, pair in rounds((plain, gated, called), pairs):
            shop.tell(f"verdicts {label}, pair {number + 1} of {pairs}: {pair.name}")
            await check(pair)
            windows[pair.name].append(await fixed_rate(shop, pair, rate, warm_up, seconds))
        return windows, float(mixer.calls - before)

    # In this order: what is kept once is never asked again.
    asked, asked_calls = await turns(cold, "asked")
    mixer.keeps = True
    kept, kept_calls = await turns(warm, "kept")
    kept_conditions = {**conditions, "rate": float(warm), "calls": kept_calls}
    asked_conditions = {**conditions, "rate": float(cold), "calls": asked_calls}
    return [
        _figure("remote check, kept", kept, "gated", "minimal", kept_conditions, Goal(ratio=LIMIT)),
        _figure("remote check, kept: gate or call", kept, "gated", "called", kept_conditions),
        _figure("remote check, asked each time: gate or call", asked, "gated", "called", asked_conditions),
    ]


def _figure(
    name: str,
    windows: dict[str, list[Window]],
    ours: str,
    peer: str,
    conditions: dict[str, float | str],
    goal: Goal | None = None,
) -> Figure:
    both = list(zip(windows[ours], windows[peer], strict=True))
    return Figure(
        benchmark="B5",
        figure=f"{name}, CPU per request of a pair",
        unit="us",
        ours=tuple(one.cpu / one.requests * 1e6 for one, _ in both),
        peer=tuple(other.cpu / other.requests * 1e6 for _, other in both),
        peer_name=f"the pair {peer}",
        goal=goal,
        achieved=tuple(min(one.achieved, other.achieved) for one, other in both),
        conditions=conditions,
    )


def _gated() -> list[Tree]:
    return [
        _filter("lua.v3.Lua", default_source_code={"inline_string": script()}),
        _filter(
            "ext_authz.v3.ExtAuthz",
            transport_api_version="V3",
            grpc_service={"envoy_grpc": {"cluster_name": "mixer"}, "timeout": "1s"},
            include_peer_certificate=True,
            filter_enabled_metadata={**_hit(), "invert": True},
        ),
    ]


def _called() -> list[Tree]:
    source = script().partition("function envoy_on_request")[0] + _CALLING
    policy = {"permissions": [{"any": True}], "principals": [{"metadata": _hit()}]}
    return [
        _filter("lua.v3.Lua", default_source_code={"inline_string": source}),
        _filter("rbac.v3.RBAC", rules={"action": "ALLOW", "policies": {"known": policy}}),
    ]


def _hit() -> Tree:
    return {"filter": NAMESPACE, "path": [{"key": "hit"}], "value": {"bool_match": True}}


def _filter(kind: str, **fields: object) -> Tree:
    name = f"envoy.filters.http.{kind.split('.')[0]}"
    return {"name": name, "typed_config": {"@type": f"{_TYPE}.{kind}", **fields}}


def _mixer(port: int, *, is_http2: bool) -> Tree:
    endpoint = {"endpoint": {"address": {"socket_address": {"address": "127.0.0.1", "port_value": port}}}}
    cluster: Tree = {
        "name": "mixer",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "mixer", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if is_http2:
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    return cluster
