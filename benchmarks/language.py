"""LANGUAGE: what it costs to read rules and to look for faults between them.

In one process and on CPU time. The peer of reading is what any program pays that reads the same YAML, PyYAML's parser
in C alone; the peer of analysis is the reading of the same files.
"""

import asyncio
import gc
import time
from collections.abc import Callable, Sequence

import yaml
from immutables import Map

from benchmarks.figures import Figure, Goal, rounds
from benchmarks.workshop import Workshop
from proa.core.config import Batch, read_batch
from proa.core.config.analyze.analysis import analyze, subjects_of, told_of
from proa.core.config.analyze.world import Known, build_world

NAMESPACES = 20
PAIRS = 5
VIRTUAL_SERVICES = 5000
SERVICES = 1000
MOST = 2.0

_ROUTES = """\
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata:
  name: s{index}
  namespace: ns{namespace}
spec:
  hosts:
  - s{index}
  http:
  - match:
    - uri:
        prefix: /a
      headers:
        end-user:
          exact: jason
    - uri:
        exact: /b
    route:
    - destination:
        host: s{index}
        subset: v1
      weight: 90
    - destination:
        host: s{index}
        subset: v2
      weight: 10
  - route:
    - destination:
        host: s{index}
        subset: v1
    timeout: 2s
    retries:
      attempts: 3
      perTryTimeout: 0.5s
"""
_POLICY = """\
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: s{index}
  namespace: ns{namespace}
spec:
  host: s{index}
  trafficPolicy:
    loadBalancer:
      simple: ROUND_ROBIN
  subsets:
  - name: v1
    labels:
      version: v1
  - name: v2
    labels:
      version: v2
"""


async def measure_language(shop: Workshop, full: bool) -> Sequence[Figure]:
    pairs = 2 * PAIRS if full else PAIRS
    return await asyncio.to_thread(measure, shop.tell, VIRTUAL_SERVICES, SERVICES, pairs)


def measure(tell: Callable[[str], None], virtual_services: int, services: int, pairs: int) -> list[Figure]:
    """Both figures; smaller numbers for a test."""
    alone, both = written(virtual_services, _ROUTES), written(services, _ROUTES, _POLICY)
    read, parsed, analyzed, loaded = [list[float]() for _ in range(4)]
    known = tuple(map(_known, range(services)))
    batch = read_batch([("mesh.yaml", both)])
    flaws = () if batch.is_valid and not faults(batch, known) else ("the rules are not fine",)
    for number, side in rounds(("ours", "peer"), pairs):
        tell(f"pair {number + 1} of {pairs}: {side}")
        if side == "ours":
            read.append(_cpu_ms(lambda: read_batch([("routes.yaml", alone)])))
            analyzed.append(_cpu_ms(lambda: faults(batch, known)))
        else:
            parsed.append(_cpu_ms(lambda: list(yaml.load_all(alone, yaml.CSafeLoader))))
            loaded.append(_cpu_ms(lambda: read_batch([("mesh.yaml", both)])))
    return [
        _figure(
            f"read {virtual_services} VirtualServices", read, parsed, "CSafeLoader on the same file", flaws
        ),
        _figure(f"analyze {2 * services} objects", analyzed, loaded, "reading the same file", flaws),
    ]


def _figure(
    name: str, ours: Sequence[float], peer: Sequence[float], peer_name: str, flaws: tuple[str, ...]
) -> Figure:
    return Figure(
        benchmark="LANGUAGE",
        figure=name,
        unit="ms CPU",
        ours=tuple(ours),
        peer=tuple(peer),
        peer_name=peer_name,
        goal=Goal(ratio=MOST),
        flaws=flaws,
    )


def written(count: int, *forms: str) -> str:
    """The text of so many objects of each form."""
    return "---\n".join(
        form.format(index=index, namespace=index % NAMESPACES) for index in range(count) for form in forms
    )


def faults(batch: Batch, services: Sequence[Known]) -> int:
    """How many messages a whole analysis has; with the places of each, as users get them."""
    subjects = subjects_of(batch.objects)
    world = build_world(subjects.configs, services, whole=True)
    return len(told_of(analyze(world), subjects))


def _known(index: int) -> Known:
    namespace = f"ns{index % NAMESPACES}"
    return Known(
        host=f"s{index}.{namespace}.svc.cluster.local",
        namespace=namespace,
        ports={80: "HTTP"},
        instances=(Map({"version": "v1"}), Map({"version": "v2"})),
    )


def _cpu_ms(work: Callable[[], object]) -> float:
    gc.collect()
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000
