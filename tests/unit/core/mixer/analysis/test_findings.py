from proa.core.config.analyze.analysis import SUPPRESS
from proa.core.config.mixer.catalogue import BUILT_IN
from proa.core.mixer.analysis.findings import as_if_all_ran
from proa.testing.mixer import mixer_config, rule
from tests.unit.core.mixer.analysis.telling import LIMITS, REQUESTS, told


def test_what_no_rule_uses_is_told_where_there_are_rules() -> None:
    lonely = mixer_config("denier", "lonely", {})
    unused = mixer_config("checknothing", "any", {})
    assert told(lonely, unused) == []
    assert told(lonely, unused, LIMITS, REQUESTS, rule("r", "handler", "requestcount"))[:2] == [
        "any  mixer-unused",
        "handler spec.quotas[0].overrides[1].dimensions.sourse mixer-dimension-missing",
    ]


def test_an_annotation_silences() -> None:
    quiet = mixer_config("denier", "lonely", {}, annotations={SUPPRESS: "mixer-unused"})
    found = told(quiet, LIMITS, REQUESTS, rule("r", "handler", "requestcount"))
    assert not any(each.startswith("lonely") for each in found)


def test_rules_are_looked_at_whether_or_not_their_adapters_run() -> None:
    assert all(kind.runs for kind in as_if_all_ran(BUILT_IN).adapters.values())
