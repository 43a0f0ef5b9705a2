import pytest
from immutables import Map

from proa.core.config import Config, Json
from proa.core.config.analyze.mutual_tls import check_mutual_tls
from proa.core.config.analyze.world import Known
from tests.unit.core.config.analyze.finding import an_object, entry, find

HOST = "reviews.default.svc.cluster.local"


def rule(mode: str, host: str = "reviews") -> Config:
    return an_object("dr", "a", {"host": host, "trafficPolicy": {"tls": {"mode": mode}}})


def policy(name: str, mode: str) -> Config:
    return an_object("pa", name, {"mtls": {"mode": mode}})


@pytest.mark.parametrize(
    ("client", "server", "is_fine"),
    [
        ("DISABLE", "STRICT", False),
        ("SIMPLE", "STRICT", False),
        ("ISTIO_MUTUAL", "STRICT", True),
        ("ISTIO_MUTUAL", "DISABLE", False),
        ("DISABLE", "DISABLE", True),
        ("DISABLE", "PERMISSIVE", True),
        ("ISTIO_MUTUAL", "PERMISSIVE", True),
    ],
)
def test_who_agrees(client: str, server: str, is_fine: bool) -> None:
    found = find(check_mutual_tls, [rule(client), policy("p", server)])
    assert found == ([] if is_fine else ["mtls-conflict a spec.trafficPolicy.tls.mode"])


def test_the_namespace_before_the_mesh_and_the_first_by_name() -> None:
    mesh, own = policy("istio-system/p", "STRICT"), policy("p", "PERMISSIVE")
    assert find(check_mutual_tls, [rule("DISABLE"), mesh, own]) == []
    assert len(find(check_mutual_tls, [rule("DISABLE"), mesh])) == 1
    assert find(check_mutual_tls, [rule("DISABLE"), own, policy("q", "STRICT")]) == []


def test_nothing_is_said_of_what_is_not_known() -> None:
    assert find(check_mutual_tls, [rule("DISABLE")]) == []
    assert (
        find(check_mutual_tls, [rule("SIMPLE", "a.example"), entry("b", "a.example"), policy("p", "STRICT")])
        == []
    )
    assert find(check_mutual_tls, [rule("SIMPLE", "a.example"), policy("p", "STRICT")]) == []


def test_the_meshs_default_where_servers_have_sidecars() -> None:
    known = Known(host=HOST, namespace="default", ports={80: "HTTP"}, takes_mtls=True)
    assert len(find(check_mutual_tls, [rule("DISABLE")], [known])) == 1


def test_ports_and_subsets() -> None:
    plain: Json = {"mode": "DISABLE"}
    configs = [
        an_object(
            "dr",
            "a",
            {
                "host": "reviews",
                "trafficPolicy": {"portLevelSettings": [{"port": {"number": 80}, "tls": plain}]},
                "subsets": [{"name": "v1", "labels": {"v": "1"}, "trafficPolicy": {"tls": plain}}],
            },
        ),
        policy("p", "STRICT"),
    ]
    assert find(check_mutual_tls, configs) == [
        "mtls-conflict a spec.subsets[0].trafficPolicy.tls.mode",
        "mtls-conflict a spec.trafficPolicy.portLevelSettings[0].tls.mode",
    ]


def selecting(labels: dict[str, Json], mode: str, ports: dict[str, Json] | None = None) -> Config:
    spec: dict[str, Json] = {"selector": {"matchLabels": labels}, "mtls": {"mode": mode}}
    return an_object("pa", "s", {**spec, "portLevelMtls": ports} if ports else spec)


def test_policies_that_select_all_of_a_hosts_workloads() -> None:
    by_name = selecting({"app": "reviews"}, "STRICT")
    loose = policy("p", "PERMISSIVE")
    assert len(find(check_mutual_tls, [rule("DISABLE"), loose, by_name])) == 1
    assert find(check_mutual_tls, [rule("DISABLE"), loose, selecting({"app": "others"}, "STRICT")]) == []
    some = Known(
        host=HOST, namespace="default", ports={80: "HTTP"}, instances=(Map(v="1"), Map(v="1", app="reviews"))
    )
    assert find(check_mutual_tls, [rule("DISABLE"), loose, by_name], [some]) == []
    assert len(find(check_mutual_tls, [rule("DISABLE"), loose, selecting({"v": "1"}, "STRICT")], [some])) == 1


def test_single_ports_of_a_selecting_policy() -> None:
    at_port = selecting({"app": "reviews"}, "PERMISSIVE", {"80": {"mode": "STRICT"}})
    assert find(check_mutual_tls, [rule("DISABLE"), at_port]) == [
        "mtls-conflict a spec.trafficPolicy.tls.mode"
    ]
    own: Json = {
        "tls": {"mode": "DISABLE"},
        "portLevelSettings": [{"port": {"number": 80}, "tls": {"mode": "ISTIO_MUTUAL"}}],
    }
    fits = an_object("dr", "a", {"host": "reviews", "trafficPolicy": own})
    assert find(check_mutual_tls, [fits, at_port]) == []
