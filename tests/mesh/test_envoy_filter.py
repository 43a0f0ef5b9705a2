"""What EnvoyFilters do to real requests, and that a bad patch harms nobody.

One server `patched`, which tells what it got; `caller` of the shared mesh calls it. All patches but the bad one are
applied at once.
"""

import http.client
import json
from collections.abc import Iterator
from urllib.parse import urlsplit

import msgspec
import pytest

from tests.mesh.harness import Mesh, app, until

pytestmark = pytest.mark.mesh

HOST = "patched.default.svc.cluster.local"
RULES = f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: filters}}
spec:
  configPatches:
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_INBOUND
      listener:
        name: virtualInbound
        portNumber: 8080
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {{name: envoy.filters.http.router}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.lua
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua
          default_source_code:
            inline_string: |
              function envoy_on_request(handle)
                handle:headers():replace("x-inbound", "by lua")
              end
  - applyTo: HTTP_FILTER
    match:
      context: SIDECAR_OUTBOUND
      listener:
        name: virtualOutbound
        filterChain:
          filter:
            name: envoy.filters.network.http_connection_manager
            subFilter: {{name: envoy.filters.http.router}}
    patch:
      operation: INSERT_BEFORE
      value:
        name: envoy.filters.http.header_mutation
        config_discovery:
          config_source: {{ads: {{}}, resource_api_version: V3}}
          type_urls: [type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation]
  - applyTo: EXTENSION_CONFIG
    patch:
      operation: ADD
      value:
        name: envoy.filters.http.header_mutation
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.http.header_mutation.v3.HeaderMutation
          mutations:
            request_mutations:
            - append: {{header: {{key: x-outbound, value: by mutation}}, append_action: OVERWRITE_IF_EXISTS_OR_ADD}}
  - applyTo: NETWORK_FILTER
    match:
      context: SIDECAR_OUTBOUND
      listener: {{filterChain: {{filter: {{name: envoy.filters.network.http_connection_manager}}}}}}
    patch:
      operation: MERGE
      value:
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          via: a-patch
---
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: others, namespace: istio-system}}
spec:
  configPatches:
  - applyTo: CLUSTER
    match: {{context: SIDECAR_OUTBOUND, cluster: {{service: {HOST}, portNumber: 8080}}}}
    patch:
      operation: MERGE
      value: {{alt_stat_name: patched_by_filter}}
  - applyTo: CLUSTER
    match: {{context: SIDECAR_OUTBOUND}}
    patch:
      operation: ADD
      value: {{name: added_by_filter, type: STATIC, connect_timeout: 1s}}
  - applyTo: HTTP_ROUTE
    match:
      context: SIDECAR_OUTBOUND
      routeConfiguration: {{vhost: {{name: "{HOST}:8080", route: {{name: default}}}}}}
    patch:
      operation: MERGE
      value: {{response_headers_to_add: [{{header: {{key: x-route, value: merged}}}}]}}
  - applyTo: HTTP_ROUTE
    match:
      context: SIDECAR_OUTBOUND
      routeConfiguration: {{portNumber: 8080, vhost: {{name: "{HOST}:8080"}}}}
    patch:
      operation: INSERT_FIRST
      value: {{name: to-added, match: {{prefix: /nowhere}}, route: {{cluster: added_by_filter}}}}
  - applyTo: VIRTUAL_HOST
    match:
      context: SIDECAR_INBOUND
      routeConfiguration: {{portNumber: 8080}}
    patch:
      operation: MERGE
      value: {{response_headers_to_add: [{{header: {{key: x-inbound-host, value: merged}}}}]}}
"""

BAD = f"""
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {{name: bad}}
spec:
  configPatches:
  - applyTo: CLUSTER
    match: {{context: SIDECAR_OUTBOUND, cluster: {{service: {HOST}}}}}
    patch: {{operation: MERGE, value: {{lb_policy: CLUSTER_PROVIDED}}}}
  - applyTo: CLUSTER
    match: {{context: SIDECAR_OUTBOUND, cluster: {{service: echo.default.svc.cluster.local}}}}
    patch: {{operation: MERGE, value: {{alt_stat_name: beside_the_bad_one}}}}
"""


FOR_A_SERVICE = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: for-a-service}
spec:
  targetRefs: [{kind: Service, name: patched}]
  configPatches:
  - applyTo: VIRTUAL_HOST
    match: {context: SIDECAR_OUTBOUND}
    patch:
      operation: MERGE
      value: {response_headers_to_add: [{header: {key: x-service, value: patched}}]}
"""


class Answer(msgspec.Struct, frozen=True):
    """`headers` in lower case; `got` what the server saw of the request's."""

    status: int
    headers: dict[str, str]
    got: dict[str, str]


@pytest.fixture(scope="module")
def patched(shared_mesh: Mesh) -> Iterator[Mesh]:
    with (
        shared_mesh.running("patched", app("echo"), port="8080:auto/http"),
        shared_mesh.applied(RULES),
    ):
        yield shared_mesh


def ask(mesh: Mesh, path: str = "/") -> Answer:
    """A request of `caller`, through its sidecar."""
    connection = http.client.HTTPConnection(urlsplit(mesh.proxy("caller")).netloc, timeout=20)
    try:
        connection.request("GET", f"http://patched:8080{path}", headers={"Host": "patched:8080"})
        response = connection.getresponse()
        body = response.read()
        headers = {name.lower(): value for name, value in response.getheaders()}
        got = json.loads(body)["headers"] if response.status == 200 else {}
        return Answer(status=response.status, headers=headers, got=got)
    finally:
        connection.close()


def test_http_filters_of_both_sides(patched: Mesh) -> None:
    answer = ask(patched)
    assert answer.got["x-inbound"] == "by lua"
    assert answer.got["x-outbound"] == "by mutation"


def test_a_network_filter_is_merged_into(patched: Mesh) -> None:
    assert ask(patched).headers["via"] == "a-patch"


def test_routes_and_virtual_hosts_are_merged_into(patched: Mesh) -> None:
    answer = ask(patched)
    assert answer.headers["x-route"] == "merged"
    assert answer.headers["x-inbound-host"] == "merged"


def test_a_patch_for_a_service_is_for_its_own_proxies(patched: Mesh) -> None:
    """Which call others as well; `caller` serves nothing."""
    with patched.applied(FOR_A_SERVICE):
        for workload, is_patched in (("patched", True), ("caller", False)):
            answer = patched.curl(workload, "-i", "http://echo:8080/").stdout
            assert "200 OK" in answer
            assert ("x-service: patched" in answer) is is_patched


def test_a_cluster_is_merged_into(patched: Mesh) -> None:
    ask(patched)
    counted = patched.stats("caller", r"^cluster\.patched_by_filter\.upstream_rq_total")
    assert counted["cluster.patched_by_filter.upstream_rq_total"] >= 1


def test_a_cluster_that_is_added_is_sent_to(patched: Mesh) -> None:
    assert ask(patched, "/nowhere").status == 503
    patched.logged("caller", direction="outbound", path="/nowhere", cluster="added_by_filter")


def test_a_patch_that_envoy_refuses_is_named_and_the_rest_serves(patched: Mesh) -> None:
    told = patched.apply(BAD, check=False)
    try:
        assert told.returncode == 1, told
        assert "EnvoyFilter/default/bad" in told.stdout + told.stderr
        assert f"outbound|8080||{HOST}" in told.stdout + told.stderr
        assert ask(patched).status == 200
        assert patched.curl("caller", "http://echo:8080/").returncode == 0

        def counted() -> int:
            found = patched.stats("caller", r"^cluster\.beside_the_bad_one\.upstream_rq_total")
            return found.get("cluster.beside_the_bad_one.upstream_rq_total", 0)

        until(counted, "the patch beside the bad one is in force")
    finally:
        patched.delete(BAD)
    assert ask(patched).status == 200


def test_a_wrong_value_is_refused_before_any_proxy_sees_it(patched: Mesh) -> None:
    told = patched.apply(BAD.replace("lb_policy: CLUSTER_PROVIDED", "lb_policies: RANDOM"), check=False)
    assert told.returncode == 1
    assert "spec.configPatches[0].patch.value.lb_policies" in told.stdout + told.stderr
    assert not {each for each in patched.objects() if each.name == "bad"}


def test_a_patch_that_finds_nothing_is_a_note(patched: Mesh) -> None:
    text = BAD.replace(HOST, "nobody.example.com").replace("name: bad", "name: idle")
    told = patched.apply(text)
    try:
        assert "configPatches[0]" in told.stdout + told.stderr
        assert "patch-without-effect" in told.stdout + told.stderr
    finally:
        patched.delete(text)
