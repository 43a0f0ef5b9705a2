from proa.core.config.gateway_api.derive import derive
from proa.core.config.gateway_api.today import is_api, read_derived
from proa.core.config.kinds.virtual_service.schema import DerivedRoutes, VirtualService
from tests.unit.core.config.gateway_api.objects import CALLERS, loaded, route, to


def test_derived_rules_know_what_answers_for_nobody() -> None:
    objects = loaded(route("a", to("x"), parents=CALLERS))
    assert is_api(objects[0])
    read = read_derived(derive(objects))
    (today,) = read.objects
    spec = today.config.spec
    assert isinstance(spec, DerivedRoutes)
    assert [each.missing for each in spec.beyond_http] == [500, 500]
    assert type(spec.as_written()) is VirtualService
    assert read.findings == ()
