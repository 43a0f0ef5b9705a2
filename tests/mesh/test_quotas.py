"""Quotas in a mesh: the rate limit task of 2018 as it was written, and what Proa adds to it."""

import contextlib
import http.client
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from proa.core.model.names import WorkloadId
from proa.servers.admin.mixer import CheckTry
from tests.mesh.harness import FOREVER, Mesh, app, until
from tests.mesh.outages import metric
from tests.redis_process import RedisProcess, why_no_redis

pytestmark = pytest.mark.mesh

TASK = Path(__file__).parent / "rules_of_2018" / "mixer-rule-productpage-ratelimit.yaml"
PATIENT = {"proa.dev/deadline": "30s"}
"""A machine that stands still for half a second would else let the first request pass, which counts are about."""
PAGES = ("quota-page-1", "quota-page-2")
OTHER = "quota-caller"


@pytest.fixture(scope="module")
def shop(shared_mesh: Mesh) -> Iterator[Mesh]:
    """Two servers of one service, with the names of the task, and one more client."""
    mesh = shared_mesh
    for name in PAGES:
        options = ("--service=productpage", "--label=app=productpage")
        mesh.run(name, app("echo"), *options, port="9080:auto/http", wait=False)
    mesh.run(OTHER, FOREVER, "--label=app=other", wait=False)
    mesh.until_healthy(*PAGES, OTHER)
    yield mesh
    mesh.stop_all(*PAGES, OTHER)


class Answer:
    def __init__(self, answer: http.client.HTTPResponse) -> None:
        self.status, self.headers = (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
        )
        self.body = answer.read().decode()


class Client:
    """One connection to a workload's proxy."""

    def __init__(self, mesh: Mesh, workload: str = "caller") -> None:
        proxy = urlsplit(mesh.proxy(workload))
        self.connection = http.client.HTTPConnection(proxy.hostname or "", proxy.port, timeout=60)

    def ask(self, path: str = "/", **headers: str | bytes) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self.connection.request("GET", f"http://productpage:9080{path}", headers=sent)
        return Answer(self.connection.getresponse())

    def statuses(self, number: int, path: str = "/", **headers: str | bytes) -> list[int]:
        return [self.ask(path, **headers).status for _ in range(number)]

    def until_refused(self, **headers: str) -> tuple[list[int], Answer]:
        """The statuses before the first refusal: a machine that stands still lets windows pass."""
        before: list[int] = []
        while (answer := self.ask(**headers)).status == 200 and len(before) < 1000:
            before.append(answer.status)
        return before, answer


@pytest.fixture
def client(shop: Mesh) -> Iterator[Client]:
    found = Client(shop)
    with contextlib.closing(found.connection):
        yield found


@pytest.fixture
def other(shop: Mesh) -> Iterator[Client]:
    found = Client(shop, OTHER)
    with contextlib.closing(found.connection):
        yield found


def logged(mesh: Mesh) -> list[dict[str, object]]:
    return [line for page in PAGES for line in mesh.access_log(page)]


def quota(
    dimensions: Mapping[str, str],
    amount: int = 2,
    adapter: str = "memquota",
    clause: Mapping[str, Mapping[str, str]] | None = None,
    on_handler: Mapping[str, str] | None = None,
    on_rule: Mapping[str, str] | None = None,
    match: str = "",
    **parameters: object,
) -> str:
    """`amount` in ten minutes, so that nothing comes back while a test goes on."""
    limit = {"name": "visits.quota.default", "maxAmount": amount, "validDuration": "600s", **parameters}
    owed = {"quotas": [{"quota": "visits", "charge": 1}]}
    spec: dict[str, object] = {"quotas": [limit]}
    if adapter == "redisquota":
        spec["redisServerUrl"] = limit.pop("redisServerUrl")
    objects = [
        ("quota", "visits", {"dimensions": dimensions}, None),
        (adapter, "limits", spec, PATIENT | dict(on_handler or {})),
        (
            "rule",
            "count-visits",
            {"match": match, "actions": [{"handler": f"limits.{adapter}", "instances": ["visits.quota"]}]},
            on_rule,
        ),
        (
            "QuotaSpec",
            "visits",
            {"rules": [owed | ({"match": [{"clause": clause}]} if clause else {})]},
            None,
        ),
        (
            "QuotaSpecBinding",
            "visits",
            {"quotaSpecs": [{"name": "visits"}], "services": [{"name": "productpage"}]},
            None,
        ),
    ]
    return "\n---\n".join(
        json.dumps(
            {
                "apiVersion": "config.istio.io/v1alpha2",
                "kind": kind,
                "metadata": {"name": name, "namespace": "default", "annotations": dict(annotations or {})},
                "spec": content,
            }
        )
        for kind, name, content, annotations in objects
    )


def test_the_task_of_2018(shop: Mesh, client: Client) -> None:
    """Two requests in five seconds, whichever of the servers takes them; the third is refused."""
    with shop.applied(TASK):
        before, refused = client.until_refused()
        assert len(before) >= 2
        assert (refused.status, refused.body) == (
            429,
            "RESOURCE_EXHAUSTED:Quota is exhausted for: requestcount",
        )
        assert refused.headers["ratelimit-policy"] == '"requestcount";q=2;w=5'
        assert refused.headers["x-ratelimit-limit"] == '2, 2;w=5;name="requestcount"'
        assert 1 <= int(refused.headers["retry-after"]) <= 5
        assert client.statuses(9, x_forwarded_for="10.28.11.20") == [200] * 9, "the override for one address"
        assert len(client.until_refused(x_forwarded_for="10.28.11.21")[0]) >= 2
        until(
            lambda: any(line.get("quota_exhausted") == "requestcount" for line in logged(shop)),
            "the log tells which quota",
        )
    assert client.statuses(9) == [200] * 9


def test_callers_are_told_apart_by_what_they_cannot_say_of_themselves(
    shop: Mesh, client: Client, other: Client
) -> None:
    """By certificate and address; a header of the same name makes nobody somebody else."""
    who = {
        "who": 'source.name | "nobody"',
        "where": 'source.ip | ip("0.0.0.0")',
        "app": 'source.labels["app"] | ""',
    }
    with shop.applied(quota(who)):
        assert client.statuses(3) == [200, 200, 429]
        forged = {
            "x_forwarded_for": "9.9.9.9",
            "x_forwarded_client_cert": "URI=spiffe://cluster.local/ns/a/sa/b",
        }
        assert client.statuses(2, **forged) == [429, 429]
        assert client.statuses(1, x_any=b"\xff\xc3".decode("latin-1")) == [429]
        looked = [
            shop.admin.quotas(
                CheckTry(server=WorkloadId("default", PAGES[0]), caller=WorkloadId("default", each))
            )
            for each in ("caller", OTHER)
        ]
        assert [(each.outcome, each.quotas[0].left) for each in looked] == [("refused", 0), ("granted", 2)]
        assert other.statuses(3) == [200, 200, 429]
        rpc = client.ask(content_type="application/grpc")
        assert (rpc.status, rpc.headers["grpc-status"]) == (200, "8")
        assert rpc.headers["grpc-message"] == "RESOURCE_EXHAUSTED:Quota is exhausted for: visits"


def test_who_hides_behind_bytes_is_charged(shop: Mesh, client: Client) -> None:
    """A header that is no text reaches Mixer as it is; whoever sends one is counted like everybody."""
    with shop.applied(quota({"who": 'request.headers["x-who"] | "nobody"'})):
        odd = b"\xff\xc3".decode("latin-1")
        assert client.statuses(4, x_who=odd) == [200, 200, 429, 429]
        assert client.statuses(3) == [200, 200, 429]
        assert client.statuses(3, x_who="") == [200, 200, 429], "empty is not absent"


def test_who_owes_nothing_does_not_even_ask(shop: Mesh, client: Client) -> None:
    def calls() -> int:
        return sum(
            count
            for page in PAGES
            for name, count in shop.stats(page, r"cluster\.proa_mixer\.upstream_rq_total").items()
        )

    match = 'match(request.headers["cookie"] | "", "user=*") == false'
    clause = {"request.path": {"prefix": "/dear"}}
    with shop.applied(quota({}, match=match, clause=clause)):
        assert client.statuses(4, "/dear/a") == [200, 200, 429, 429]
        assert client.statuses(3, "/cheap") == [200] * 3
        asked = calls()
        assert client.statuses(5, "/dear/b", cookie="user=ann") == [200] * 5
        assert calls() == asked
        assert client.statuses(1, "/dear/a") == [429]


def test_what_only_tries_refuses_nobody_and_is_told(shop: Mesh, client: Client) -> None:
    with shop.applied(quota({}, on_handler={"proa.dev/dry-run": "true"})):
        before = metric(shop, 'proa_mixer_quota_charges_total{outcome="would-refuse"')
        assert client.statuses(6) == [200] * 6
        assert metric(shop, 'proa_mixer_quota_charges_total{outcome="would-refuse"') - before == 4
        until(
            lambda: sum("dry_run_quota" in line for line in logged(shop)) == 4,
            "the log tells of four",
        )


def test_a_limit_is_shared_exactly_under_uneven_load(shop: Mesh) -> None:
    """Four clients at once, each with another share of twice the limit and more; `tests/endurance/test_quota_load.py`
    has the rate."""

    def statuses(number: int) -> list[int]:
        found = Client(shop)
        with contextlib.closing(found.connection):
            return found.statuses(number)

    with shop.applied(quota({}, 100)), ThreadPoolExecutor(4) as threads:
        answers = [each for some in threads.map(statuses, (120, 60, 30, 10)) for each in some]
    assert Counter(answers) == {200: 100, 429: 120}


def test_a_limit_of_each_instance_is_kept_in_its_proxy(shop: Mesh, client: Client) -> None:
    """Two servers with three each; nobody is called."""
    before = metric(shop, "proa_mixer_quota_charges_total")
    with shop.applied(
        quota({"app": 'destination.labels["app"]'}, 3, on_handler={"proa.dev/limit": "per-instance"})
    ):
        found = client.statuses(40)
        assert sorted(found) == [200] * 6 + [429] * 34
        assert client.ask().headers["retry-after"] == "200"
    assert metric(shop, "proa_mixer_quota_charges_total") == before


def test_a_limit_in_redis(shop: Mesh, client: Client, other: Client) -> None:
    if reason := why_no_redis():
        pytest.skip(reason)
    with (
        RedisProcess() as redis,
        shop.applied(
            quota({"app": 'destination.labels["app"]'}, 3, "redisquota", redisServerUrl=redis.address)
        ),
    ):
        assert client.statuses(2) + other.statuses(3) == [200, 200, 200, 429, 429]
        refused = client.ask()
        assert refused.headers["ratelimit-policy"] == '"visits";q=3;w=600'
        assert 1 <= int(refused.headers["retry-after"]) <= 600


@pytest.mark.parametrize(("policy", "status"), [("open", 200), ("closed", 429)])
def test_a_handler_that_is_away_counts_as_its_rule_says(
    shop: Mesh, client: Client, policy: str, status: int
) -> None:
    """Nobody listens at the reserved port."""
    away = quota(
        {}, 3, "redisquota", on_rule={"proa.dev/failure-policy": policy}, redisServerUrl="127.0.0.1:1"
    )
    with shop.applied(away):
        assert client.statuses(3) == [status] * 3
