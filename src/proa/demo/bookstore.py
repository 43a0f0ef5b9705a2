"""The bookstore as data: which programs and gateway there are, who may be what, and the files of configuration.

Read by the demo's runner, its check, the mesh tests and the benchmarks. It starts nothing.
"""

from pathlib import Path

import msgspec
from immutables import Map

from proa.core.auth.grants import Placement
from proa.core.model.names import DEFAULT_NAMESPACE, ROOT_NAMESPACE, WorkloadId

SERVICE_PORT = 9080
HEALTH_PATH = "/health"
PAGE_PATH = "/productpage"
GATEWAY_PORT = 80


class Program(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: a program that listens on 127.0.0.1:$PORT and serves `service`:SERVICE_PORT."""

    service: str
    version: str
    account: str
    namespace: str = DEFAULT_NAMESPACE

    @property
    def id(self) -> WorkloadId:
        return WorkloadId(self.namespace, f"{self.service}-{self.version}")

    @property
    def labels(self) -> Map[str, str]:
        return Map({"app": self.service, "version": self.version})

    def command(self, python: str) -> tuple[str, ...]:
        """The command line; `python` is the interpreter. The port comes from $PORT."""
        return (python, "-m", f"proa.demo.apps.{self.service}", "--version", self.version)


class IngressGateway(msgspec.Struct, frozen=True, kw_only=True):
    """A sidecar without a program, found by Gateway objects through its labels."""

    id: WorkloadId
    account: str
    labels: Map[str, str]


# All versions of a service share its account, as in Istio's sample.
PROGRAMS = (
    Program(service="productpage", version="v1", account="bookinfo-productpage"),
    Program(service="details", version="v1", account="bookinfo-details"),
    Program(service="reviews", version="v1", account="bookinfo-reviews"),
    Program(service="reviews", version="v2", account="bookinfo-reviews"),
    Program(service="reviews", version="v3", account="bookinfo-reviews"),
    Program(service="ratings", version="v1", account="bookinfo-ratings"),
)

GATEWAY = IngressGateway(
    id=WorkloadId(ROOT_NAMESPACE, "ingressgateway"),
    account="istio-ingressgateway-service-account",
    labels=Map({"istio": "ingressgateway", "app": "istio-ingressgateway"}),
)

# What a join token must grant for a node to run the bookstore, and nothing beyond it.
PLACEMENTS = (
    *sorted({Placement(namespace=p.namespace, service=p.service, account=p.account) for p in PROGRAMS}),
    Placement(namespace=GATEWAY.id.namespace, service="istio-ingressgateway", account=GATEWAY.account),
)

CONFIG_DIRECTORY = Path(__file__).with_name("config")
# What the demo applies before it shows its URL.
FIRST_FILES = ("gateway.yaml", "destination-rule-all.yaml", "virtual-service-all-v1.yaml")
LATER_FILES = (
    "reviews-test-v2.yaml",
    "reviews-50-v3.yaml",
    "reviews-v3.yaml",
    "ratings-test-delay.yaml",
    "ratings-test-abort.yaml",
)


def config_path(file: str) -> Path:
    """Where one of FIRST_FILES or LATER_FILES lies in the installed package."""
    return CONFIG_DIRECTORY / file
