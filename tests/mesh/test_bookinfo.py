"""The bookstore's documents, as a newcomer may apply them: one by one, in any order, and taken away in any order."""

import asyncio
import itertools
import json
import random
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from proa.core.config import parse
from proa.core.model.names import ObjectRef
from proa.demo.bookstore import FIRST_FILES, GATEWAY, PROGRAMS, config_path
from proa.demo.check import V1, V2, V3
from proa.demo.visitor import API_RATINGS, API_REVIEWS, new_visitor, reviews_seen
from proa.servers.admin.operations import (
    ApplyOutcome,
    ApplyRequest,
    DeleteRequest,
    ObjectQuery,
    SourceFile,
)
from proa.testing.http1 import Response
from proa.testing.load import LoadResult, acceptance_plan, offer_load
from tests.mesh.bookstore import page_url, start_gateway, start_programs
from tests.mesh.harness import Mesh, app, until, why_no_envoy
from tests.mesh.spans import Span, hops, spans

pytestmark = pytest.mark.mesh

# Everybody's v1 but jason's reviews, whose ratings fail: each object once, so that any order means the same.
FILES: Final = (*FIRST_FILES, "reviews-test-v2.yaml", "ratings-test-abort.yaml")
SEEDS: Final = range(4)
LOAD_S: Final = 1.2
"""How long each state of the weights is looked at."""

State = dict[tuple[str, str, str], str]


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    if reason := why_no_envoy():
        pytest.skip(reason)
    with Mesh() as mesh:
        start_programs(mesh)
        start_gateway(mesh)
        mesh.until_healthy(*mesh.workloads)
        yield mesh


@pytest.fixture(autouse=True)
def left_empty(mesh: Mesh) -> Iterator[None]:
    """Every test begins without objects, whatever became of the one before."""
    yield
    if refs := tuple(mesh.objects()):
        mesh.settle(mesh.admin.delete(DeleteRequest(refs=refs, author="test")).version)


def documents() -> dict[str, str]:
    """Each document alone, by kind and name; of two of one name the later file's."""
    found: dict[str, str] = {}
    for file in FILES:
        for text in config_path(file).read_text().split("\n---\n"):
            (document,) = parse(text, file).documents
            meta = document.value["metadata"]
            assert isinstance(meta, dict)
            found[f"{document.value['kind']}/{meta['name']}"] = text
    return found


DOCUMENTS: Final = documents()


def orders() -> dict[str, tuple[str, ...]]:
    names = tuple(DOCUMENTS)
    rules_first = sorted(names, key=lambda name: not name.startswith("VirtualService"))
    found = {
        "as written": names,
        "backwards": names[::-1],
        "rules before what they speak of": tuple(rules_first),
    }
    for seed in SEEDS:
        found[f"seed {seed}"] = tuple(random.Random(seed).sample(names, len(names)))
    return found


ORDERS: Final = orders()


def apply(mesh: Mesh, text: str) -> int:
    outcome = mesh.admin.apply(ApplyRequest(files=(SourceFile(name="test.yaml", text=text),), author="test"))
    assert isinstance(outcome, ApplyOutcome), outcome
    return outcome.version


def delete(mesh: Mesh, name: str) -> int:
    kind, _, object_name = name.partition("/")
    ref = ObjectRef(kind, "default", object_name)
    return mesh.admin.delete(DeleteRequest(refs=(ref,), author="test")).version


def state(mesh: Mesh) -> State:
    """What every proxy has ACKed: proxy, type and name -> version. Nothing is pending or rejected."""
    found: State = {}
    for workload in (*(program.id for program in PROGRAMS), GATEWAY.id):
        for resource in mesh.admin.proxy_config(workload).resources:
            assert resource.state == "synced", (workload, resource.name, resource.error)
            found[str(workload), resource.type, resource.name] = resource.version
    return found


def visit(mesh: Mesh) -> tuple[set[str], set[str]]:
    """What jason and what others see of the reviews."""

    async def look() -> tuple[set[str], set[str]]:
        async with new_visitor(page_url(mesh)) as visitor:
            jason = await visitor.count_reviews(10, user="jason")
            return set(jason), set(await visitor.count_reviews(10))

    return asyncio.run(look())


V2_WITHOUT_RATINGS: Final = "v2 error"
RULES_OF_2018: Final = Path(__file__).with_name("rules_of_2018")
Seen = tuple[set[str], set[str]]
# What jason and others see under the files, in today's language and in that of 2018 (and 2017).
STATES: Final[dict[str, tuple[tuple[Path, ...], tuple[str, ...], Seen]]] = {
    "all v1": (
        tuple(map(config_path, FIRST_FILES)),
        ("bookinfo-ingress", "route-rule-all-v1", "destination-policy-reviews"),
        ({V1}, {V1}),
    ),
    "jason gets v2 without ratings": (
        tuple(map(config_path, FILES)),
        (
            "bookinfo-ingress",
            "route-rule-all-v1",
            "route-rule-reviews-test-v2",
            "route-rule-ratings-test-abort",
        ),
        ({V2_WITHOUT_RATINGS}, {V1}),
    ),
    "everybody gets v3": (
        tuple(map(config_path, (*FIRST_FILES, "reviews-v3.yaml"))),
        ("bookinfo-ingress", "route-rule-all-v1", "route-rule-reviews-v3"),
        ({V3}, {V3}),
    ),
}


@pytest.fixture(scope="module")
def expected(mesh: Mesh) -> tuple[State, State]:
    """Without objects, and with all, applied at once."""
    mesh.settle()
    empty = state(mesh)
    version = apply(mesh, "\n---\n".join(DOCUMENTS.values()))
    mesh.settle(version)
    full = state(mesh)
    mesh.settle(mesh.admin.delete(DeleteRequest(refs=tuple(mesh.objects()), author="test")).version)
    return empty, full


@pytest.mark.parametrize("order", ORDERS)
def test_documents_apply_in_any_order_and_go_in_any_order(
    mesh: Mesh, expected: tuple[State, State], order: str
) -> None:
    empty, full = expected
    for name in ORDERS[order]:
        version = apply(mesh, DOCUMENTS[name])
    mesh.settle(version)
    assert state(mesh) == full
    assert visit(mesh) == ({V2_WITHOUT_RATINGS}, {V1})
    for name in random.Random(order).sample(ORDERS[order], len(DOCUMENTS)):
        version = delete(mesh, name)
    mesh.settle(version)
    assert state(mesh) == empty
    assert mesh.admin.objects(ObjectQuery()).objects == ()


def test_the_files_apply_unchanged_by_the_command_line(mesh: Mesh) -> None:
    for files in itertools.islice(itertools.permutations(FIRST_FILES), 0, None, 3):
        for file in files:
            assert mesh.apply(config_path(file)).returncode == 0
        assert visit(mesh) == ({V1}, {V1})
        for file in files:
            mesh.delete(config_path(file))
        assert mesh.objects() == set()


@pytest.mark.parametrize("year", [2018, 2024])
@pytest.mark.parametrize("name", STATES)
def test_the_rules_of_2018_do_what_those_of_today_do(mesh: Mesh, name: str, year: int) -> None:
    today, old, seen = STATES[name]
    files = today if year == 2024 else tuple(RULES_OF_2018 / f"{each}.yaml" for each in old)
    mesh.apply(*files)
    assert visit(mesh) == seen
    written = {ref.kind for ref in mesh.objects()}
    assert written & {"RouteRule", "Ingress"} == ({"RouteRule", "Ingress"} if year == 2018 else set())
    mesh.delete(*files)
    assert mesh.objects() == set()


def test_old_rules_come_and_go_one_by_one(mesh: Mesh) -> None:
    """One VirtualService is made of several RouteRules: each that comes or goes makes it anew."""
    mesh.apply(RULES_OF_2018 / "route-rule-reviews-test-v2.yaml", config_path("gateway.yaml"))
    assert visit(mesh)[0] != {V1}
    mesh.apply(RULES_OF_2018 / "route-rule-all-v1.yaml")
    jason, others = visit(mesh)
    assert {each.split()[0] for each in jason} == {"v2"}
    assert others == {V1}
    shown = mesh.proa("get", "vs", "reviews", check=True).stdout
    assert "converted from RouteRule/default/reviews-test-v2 and 1 more" in shown
    refused = mesh.proa("delete", "vs", "reviews")
    assert refused.returncode == 1
    assert "RouteRule/default/reviews-default" in refused.stderr
    mesh.proa("delete", "routerule", "reviews-test-v2", "--wait", check=True)
    assert visit(mesh) == ({V1}, {V1})


def test_a_rule_before_its_subsets_heals(mesh: Mesh) -> None:
    mesh.apply(config_path("gateway.yaml"), config_path("reviews-test-v2.yaml"))
    jason, others = visit(mesh)
    assert not (jason | others) & {V1, V2, V3}, "no version may be picked at random"
    mesh.apply(config_path("destination-rule-all.yaml"))
    assert visit(mesh) == ({V2}, {V1})
    mesh.delete(config_path("destination-rule-all.yaml"))
    jason, others = visit(mesh)
    assert not (jason | others) & {V1, V2, V3}


TRACING: Final = """
apiVersion: mesh.istio.io/v1alpha1
kind: MeshConfig
metadata: {name: istio, namespace: istio-system}
spec:
  extensionProviders:
  - {name: zipkin, zipkin: {service: default/zipkin, port: 9411}}
  defaultProviders: {tracing: [zipkin]}
---
apiVersion: telemetry.istio.io/v1
kind: Telemetry
metadata: {name: traces, namespace: istio-system}
spec: {tracing: [{randomSamplingPercentage: 100}]}
"""
CALLS: Final = {
    ("ingressgateway", "productpage-v1"),
    ("productpage-v1", "details-v1"),
    ("productpage-v1", "reviews-v3"),
    ("reviews-v3", "ratings-v1"),
}


def test_a_page_is_one_trace_with_two_spans_for_each_hop(mesh: Mesh) -> None:
    """The task of 2018 on distributed tracing: nobody but the programs, who hand the headers on, knows of it."""
    with mesh.running("zipkin", app("http_collector"), port="9411:auto/http") as zipkin:
        mesh.apply(*(config_path(file) for file in (*FIRST_FILES, "reviews-v3.yaml")), TRACING)
        page = page_url(mesh)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

        def whole() -> list[tuple[Span, Span]]:
            """The hops of a page all of whose spans have come. Connections between proxies that are open already keep
            the filters that they began with, so one page may not be enough."""
            with opener.open(page, timeout=30) as answer:
                assert answer.status == 200
            pages: dict[str, list[tuple[Span, Span]]] = {}
            for client, server in hops(spans(zipkin), ""):
                pages.setdefault(server.trace_id, []).append((client, server))
            return next((found for found in pages.values() if len(found) >= len(CALLS)), [])

        until(lambda: bool(whole()), "all spans of a page have come")
        pairs = whole()
    names = {(client.service.partition(".")[0], server.service.partition(".")[0]) for client, server in pairs}
    assert names == CALLS
    assert len({server.trace_id for _, server in pairs}) == 1
    roots = [client for client, _ in pairs if not client.parent_id]
    assert [root.service for root in roots] == ["ingressgateway.istio-system"]
    served = {server.service: server.id for _, server in pairs}
    assert {client.parent_id for client, _ in pairs if client not in roots} <= set(served.values())


NO_RED_STARS: Final = """
apiVersion: config.istio.io/v1alpha2
kind: denier
metadata: {name: no-stars}
spec: {status: {code: 7, message: Not allowed}}
---
apiVersion: config.istio.io/v1alpha2
kind: checknothing
metadata: {name: asked-by-v3}
spec:
---
apiVersion: config.istio.io/v1alpha2
kind: rule
metadata: {name: no-red-stars}
spec:
  match: destination.labels["app"] == "ratings" && source.labels["app"]=="reviews" && source.labels["version"] == "v3"
  actions:
  - handler: no-stars.denier
    instances: [ asked-by-v3.checknothing ]
"""


def test_a_rule_of_mixer_takes_red_stars_away_and_nobody_is_asked(mesh: Mesh) -> None:
    """The task of 2018 on denials. The three reviews share one account: labels alone tell them apart."""

    def seen() -> set[str]:
        """By so many requests that no version is missed by chance."""

        async def look() -> set[str]:
            async with new_visitor(page_url(mesh)) as visitor:
                return set(await visitor.count_reviews(60))

        return asyncio.run(look())

    mesh.apply(config_path("gateway.yaml"))
    until(lambda: seen() == {V1, V2, V3}, "all versions answer")
    mesh.apply(NO_RED_STARS)
    assert seen() == {V1, V2, "v3 error"}
    assert checks(mesh) == {"allowed": 0, "refused": 0, "failed": 0}
    told = mesh.proa("mixer", "explain", "no-red-stars", check=True).stdout
    assert "in the proxy: its own refusals\n      at      default/ratings-v1:9080\n" in told
    mesh.delete(NO_RED_STARS)
    assert seen() == {V1, V2, V3}


def checks(mesh: Mesh) -> dict[str, float]:
    """What Mixer was asked, by what it came to."""
    address = json.loads(mesh.home.endpoints.read_text())["metrics"]
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=30) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    samples = (each for family in families for each in family.samples)
    return {each.labels["verdict"]: each.value for each in samples if each.name == "proa_mixer_checks_total"}


def _label(response: Response) -> str:
    return reviews_seen(response.body)


def test_weights_change_under_load_and_no_answer_is_old(mesh: Mesh) -> None:
    """50/50 to 0/100 and back, several times: nothing fails, and nothing of v1 comes after the wait."""
    mesh.apply(*(config_path(file) for file in (*FIRST_FILES, "reviews-50-v3.yaml")))
    page = page_url(mesh)
    base = page.removesuffix("/productpage")
    body = b'{"Reviewer1": 5, "Reviewer2": 4}'
    plan = acceptance_plan(base + API_REVIEWS, base + API_RATINGS, body, seconds=60)
    spans: list[tuple[float, float]] = []

    async def under_load() -> LoadResult:
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            load = group.create_task(offer_load(plan, classify=_label, stop=stop))
            for _ in range(3):
                await asyncio.sleep(LOAD_S)
                await asyncio.to_thread(mesh.apply, config_path("reviews-v3.yaml"))
                began = time.monotonic()
                await asyncio.sleep(LOAD_S)
                spans.append((began, time.monotonic()))
                await asyncio.to_thread(mesh.apply, config_path("reviews-50-v3.yaml"))
            stop.set()
        return load.result()

    result = asyncio.run(under_load())
    print(result.summary(), result.labels())
    assert not result.failures, result.summary()
    assert set(result.labels()) == {V1, V3}
    found: set[str] = set()
    for began, ended in spans:
        seen = {
            record.label
            for record in result.records
            if record.label and record.sent is not None and began <= record.sent and record.ended <= ended
        }
        assert seen <= {V3}, (began, ended, seen)
        found |= seen
    assert found, "a busy machine may answer late, but not every time"
