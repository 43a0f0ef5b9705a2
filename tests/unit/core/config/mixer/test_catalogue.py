import msgspec
from immutables import Map

from proa.core.config.fields import shape_of
from proa.core.config.mixer.catalogue import BUILT_IN, AdapterKind, Catalogue, no_faults
from proa.core.config.mixer.parameters import Adapter
from proa.core.config.mixer.templates import TEMPLATES


class Parameters(Adapter, frozen=True, kw_only=True):
    level: str = ""


OURS = AdapterKind(name="greylist", templates=("listentry",), parameters=Parameters)


def test_every_adapter_takes_templates_that_there_are() -> None:
    assert len(BUILT_IN.adapters) == 23
    for adapter in BUILT_IN.adapters.values():
        assert set(adapter.templates) <= set(TEMPLATES)
        assert adapter.templates
        list(adapter.faults(adapter.parameters(), ("spec",)))


def test_every_template_has_an_adapter() -> None:
    assert {name for adapter in BUILT_IN.adapters.values() for name in adapter.templates} == set(TEMPLATES)


def test_what_is_installed_joins_in() -> None:
    catalogue = BUILT_IN.with_adapters([OURS])
    assert catalogue.find("greylist") is OURS
    assert OURS.runs
    assert list(no_faults(Parameters(), ())) == []
    assert len(catalogue.adapters) == len(BUILT_IN.adapters) + 1


def test_what_is_installed_takes_the_place_of_what_does_not_run() -> None:
    theirs = msgspec.structs.replace(OURS, name="stackdriver")
    assert BUILT_IN.with_adapters([theirs]).find("stackdriver") is theirs
    ours = Catalogue(Map({"a": msgspec.structs.replace(OURS, name="a")}))
    assert ours.with_adapters([msgspec.structs.replace(theirs, name="a", templates=())]) == ours


def test_near_names_are_suggested() -> None:
    assert 'did you mean "memquota"' in BUILT_IN.unknown("memqouta")
    assert "install the package" in BUILT_IN.unknown("zzz")


def test_zero_is_told_from_not_set_where_the_default_is_another() -> None:
    for name in ("denier", "listchecker", "stdio", "statsd", "dogstatsd"):
        adapter = BUILT_IN.adapters[name]
        fields = shape_of(adapter.parameters).fields
        zero = {
            "denier": "validUseCount",
            "listchecker": "cachingUseCount",
            "stdio": "outputAsJson",
            "statsd": "samplingRate",
            "dogstatsd": "sampleRate",
        }[name]
        said = fields[zero].shape.read(False if zero == "outputAsJson" else 0, (), [])
        assert fields[zero].default is None
        assert said == 0
