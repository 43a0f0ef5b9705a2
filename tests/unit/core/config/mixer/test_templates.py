from proa.core.attributes.value_types import ValueType
from proa.core.config.mixer.templates import TEMPLATES


def test_the_twelve() -> None:
    varieties = {name: template.variety for name, template in TEMPLATES.items()}
    assert len(varieties) == 12
    assert [name for name, variety in varieties.items() if variety == "check"] == [
        "apikey",
        "authorization",
        "checknothing",
        "listentry",
    ]
    assert [name for name, variety in varieties.items() if variety in ("quota", "generator")] == [
        "kubernetes",
        "quota",
    ]


def test_what_generators_give_has_types() -> None:
    outputs = TEMPLATES["kubernetes"].outputs
    assert outputs["source_labels"] is ValueType.STRING_MAP
    assert outputs["destination_pod_ip"] is ValueType.IP_ADDRESS
    assert outputs["destination_container_name"] is ValueType.STRING
    assert "source_pod_names" not in outputs
    assert not TEMPLATES["metric"].outputs
