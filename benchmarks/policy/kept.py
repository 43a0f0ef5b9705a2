"""B15 (c): what asking costs a mesh in all, both sidecars and who is asked, by how many requests know the answer.

The pairs are minimal ones, written by hand. Ours has the filters of our listeners in front of the server, and asks our
server, whose answers serve as many requests as make the share. The peer asks for every request, of the naive
server. What the minimal pair costs without any of it is taken off both.
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from google.protobuf.json_format import MessageToDict

from benchmarks.cpu import thread_seconds
from benchmarks.data_plane.load import Window, fixed_rate, need
from benchmarks.data_plane.minimal import Tree, minimal_pair, own_tls, tls_socket
from benchmarks.data_plane.pair import Pair, check
from benchmarks.data_plane.upstream import start_upstream
from benchmarks.figures import Condition, Figure, rounds
from benchmarks.policy.scene import PORT, SERVER
from benchmarks.policy.serve import world_of
from benchmarks.policy.sides import Side, start_side
from benchmarks.workshop import Workshop
from proa.core.auth.spiffe import control_plane_id
from proa.core.mixer.needs import Checked, needs_of
from proa.core.pilot.translate.filters.mixer.checks import check_filters
from proa.core.pilot.translate.filters.mixer.cluster import MIXER_CLUSTER

PAIRS: Final = 5
PATIENCE_MS: Final = 10_000
RATE: Final = 200
CONNECTIONS: Final = 1
"""Requests that come at once would all ask before the first answer is there to be known."""
SHARES: Final = {0.0: 0, 0.8: 4, 0.95: 19, 0.99: 99}
"""Of requests that know the answer: how many each answer serves besides the one that asked."""
REFERENCE_US: Final = 500.0
"""Of Mixer alone for a request, with more than 80 % known, as Istio 0.8 published it: 0.5 CPUs at 1000 a second."""


class Asking(Pair):
    """A pair, and the server that it asks."""

    def __init__(self, pair: Pair, asked: Side) -> None:
        super().__init__(pair.name, pair.port, pair.client, pair.server)
        self._asked = asked

    def cpu(self) -> tuple[float, float]:
        client, server = super().cpu()
        return client, server + thread_seconds(self._asked.child.pid)


async def measure_kept(shop: Workshop, full: bool) -> Sequence[Figure]:
    need("h2load", "taskset")
    warm_up, seconds, pairs = (2.0, 15.0, 2 * PAIRS) if full else (0.5, 2.0, PAIRS)
    app_port, upstream = await start_upstream(shop)
    plain = await minimal_pair(shop, app_port)
    naive = await _asking(shop, app_port, await start_side(shop, "naive", 0), kept=False)
    figures: list[Figure] = []
    for share, uses in SHARES.items():
        side = await start_side(shop, "ours", 0, uses=uses)
        ours = await _asking(shop, app_port, side, kept=True)
        windows: dict[str, list[Window]] = {each.name: [] for each in (plain, naive, ours)}
        for number, pair in rounds((plain, naive, ours), pairs):
            shop.tell(f"{share:.0%} known, pair {number + 1} of {pairs}: {pair.name}")
            await check(pair)
            windows[pair.name].append(await fixed_rate(shop, pair, RATE, warm_up, seconds, CONNECTIONS))
        conditions: dict[str, Condition] = {
            "known": share,
            "rate": float(RATE),
            "connections": float(CONNECTIONS),
            "seconds": seconds,
            "upstream": upstream,
            "reference_us": REFERENCE_US,
            "reference": "Mixer of Istio 0.8 alone, published, more than 80 % known",
        }
        figures.append(
            _figure(share, windows[plain.name], windows[ours.name], windows[naive.name], conditions)
        )
    return figures


def _figure(
    share: float,
    plain: Sequence[Window],
    ours: Sequence[Window],
    naive: Sequence[Window],
    conditions: dict[str, Condition],
) -> Figure:
    return Figure(
        benchmark="B15",
        figure=f"asking, {share:.0%} known, CPU per request in all",
        unit="us",
        ours=tuple(_extra(one, base) for one, base in zip(ours, plain, strict=True)),
        peer=tuple(_extra(one, base) for one, base in zip(naive, plain, strict=True)),
        peer_name="asked each time, naive server",
        achieved=tuple(
            min(one.achieved, other.achieved, base.achieved)
            for one, other, base in zip(ours, naive, plain, strict=True)
        ),
        conditions=conditions,
    )


def _extra(window: Window, plain: Window) -> float:
    return (window.cpu / window.requests - plain.cpu / plain.requests) * 1e6


async def _asking(shop: Workshop, app_port: int, side: Side, *, kept: bool) -> Asking:
    # A busy machine must not make a measurement of what is refused for lateness.
    checked = [msgspec.structs.replace(each, deadline_ms=PATIENCE_MS) for each in _checked()]
    filters = [_tree(each) for each in check_filters(checked, PORT, has_peer=True)]
    clusters = [_cluster(shop, side)]
    name = f"{side.label}-pair"
    chosen = filters if kept else filters[1:]
    return Asking(await minimal_pair(shop, app_port, name, filters=chosen, clusters=clusters), side)


def _checked() -> tuple[Checked, ...]:
    """As the control plane tells it of the server."""
    world = world_of(0)
    place = world.place(SERVER, PORT)
    assert place is not None
    return needs_of(world.mixer, place).checks


def _tree(message: object) -> Tree:
    return MessageToDict(message, preserving_proto_field_name=True)  # type: ignore[arg-type]


def _cluster(shop: Workshop, side: Side) -> Tree:
    host, _, port = side.address.rpartition(":")
    address = {"socket_address": {"address": host, "port_value": int(port)}}
    options = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
    return {
        "name": MIXER_CLUSTER,
        "type": "STATIC",
        "typed_extension_protocol_options": {
            options: {
                "@type": f"type.googleapis.com/{options}",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        },
        "load_assignment": {
            "cluster_name": MIXER_CLUSTER,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
        "transport_socket": tls_socket(
            "UpstreamTlsContext",
            own_tls(shop, "server", str(control_plane_id(shop.certificates.trust_domain))),
        ),
    }
