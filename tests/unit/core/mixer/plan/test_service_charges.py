import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.core.config.config import Config
from proa.core.mixer.plan.service_charges import compile_charges, owed_for
from proa.testing.mixer import mixer_config

HOST = "productpage.shop.svc.cluster.local"


def spec(name: str, *rules: object, namespace: str = "shop") -> Config:
    return mixer_config("QuotaSpec", name, {"rules": list(rules)}, namespace)


def charge(quota: str, amount: int = 1, *clauses: object) -> object:
    match = [{"clause": clause} for clause in clauses]
    return {"match": match, "quotas": [{"quota": quota, "charge": amount}]}


def binding(
    *specs: str, services: tuple[object, ...] = ({"name": "productpage"},), name: str = "b"
) -> Config:
    named = [dict(zip(("name", "namespace"), each.split("."), strict=False)) for each in specs]
    return mixer_config("QuotaSpecBinding", name, {"services": list(services), "quotaSpecs": named}, "shop")


def owed(*configs: Config, host: str = HOST, **attributes: str) -> dict[str, int]:
    bag = {name.replace("_", "."): value for name, value in attributes.items()}
    return dict(owed_for(compile_charges(configs), host, bag).amounts)


@pytest.mark.parametrize(
    ("service", "is_bound"),
    [
        ({"name": "productpage"}, True),
        ({"name": "productpage", "namespace": "default"}, False),
        ({"service": HOST}, True),
        ({"service": "*"}, True),
        ({"service": "*.shop.*"}, True),
        ({"service": "*.other.*"}, False),
        ({"service": "*.svc.cluster.local"}, True),
        ({"service": "*.example.com"}, False),
    ],
)
def test_bindings_name_services(service: object, is_bound: bool) -> None:
    found = owed(spec("counts", charge("requests")), binding("counts", services=(service,)))
    assert found == ({"requests": 1} if is_bound else {})


def test_a_rule_counts_when_one_of_its_matches_fits_whole() -> None:
    counted = charge(
        "q",
        3,
        {"request.path": {"prefix": "/api"}, "request.method": {"exact": "GET"}},
        {"request.path": {"regex": "/v[0-9]+"}},
    )
    objects = (spec("counts", counted), binding("counts"))
    assert owed(*objects, request_path="/api/a", request_method="GET") == {"q": 3}
    assert owed(*objects, request_path="/v12") == {"q": 3}
    assert owed(*objects, request_path="/v12/a") == {}
    assert owed(*objects, request_path="/api/a") == {}
    assert owed(*objects) == {}


def test_what_specs_say_of_one_quota_adds_up_and_a_spec_counts_once() -> None:
    objects = (
        spec("one", charge("q", 2), charge("r")),
        spec("two", charge("q", 5), namespace="other"),
        binding("one", "two.other", "gone"),
        binding("one", name="again", services=({"service": "*"},)),
    )
    assert owed(*objects) == {"q": 7, "r": 1}
    assert owed(*objects, host="a.b") == {"q": 2, "r": 1}
    assert owed(*reversed(objects)) == owed(*objects)


@given(
    st.dictionaries(st.sampled_from(["request.path", "request.method", "source.user"]), st.sampled_from("ab"))
)
def test_it_depends_on_what_it_says(bag: dict[str, str]) -> None:
    rule = charge("q", 1, {"request.path": {"exact": "a"}, "source.user": {"exact": "b"}})
    charges = compile_charges([spec("counts", rule), binding("counts")])
    found = owed_for(charges, HOST, bag)
    kept = {each.name: bag[each.name] for each in found.references if each.name in bag}
    assert owed_for(charges, HOST, kept) == found
    assert bool(found.amounts) == (bag.get("request.path") == "a" and bag.get("source.user") == "b")
