import pytest

from proa.core.config.istio_service import IstioService, NamedSpec, check_named, check_service


@pytest.mark.parametrize(
    "service",
    [
        IstioService(name="a"),
        IstioService(name="a", namespace="b", domain="svc.cluster.local"),
        IstioService(service="a.b.svc.cluster.local"),
        IstioService(service="*"),
        IstioService(service="*.b.*"),
    ],
)
def test_fine_services(service: IstioService) -> None:
    assert list(check_service(service, ())) == []


@pytest.mark.parametrize(
    ("service", "places"),
    [
        (IstioService(), [()]),
        (IstioService(name="a", service="b"), [()]),
        (IstioService(name="a.b", namespace="C", domain="d e"), [("name",), ("namespace",), ("domain",)]),
        (IstioService(service="a b"), [("service",)]),
    ],
)
def test_bad_services(service: IstioService, places: list[tuple[str, ...]]) -> None:
    assert [found.path for found in check_service(service, ())] == places


def test_names_of_specs() -> None:
    assert list(check_named(NamedSpec(name="a", namespace="b"), ())) == []
    assert [found.path for found in check_named(NamedSpec(name="", namespace="B"), ())] == [
        ("name",),
        ("namespace",),
    ]
