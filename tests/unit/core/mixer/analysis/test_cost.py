from proa.testing.mixer import mixer_config, rule
from tests.unit.core.mixer.analysis.telling import told


def test_what_never_repeats_is_told_of_checks_and_not_of_reports() -> None:
    check = mixer_config("listentry", "id", {"value": 'request.headers["X-Request-Id"] | request.id'})
    span = mixer_config("logentry", "log", {"variables": {"at": "request.time", "size": "response.size"}})
    objects = (
        mixer_config("listchecker", "ids", {"overrides": ["a"]}),
        mixer_config("stdio", "out", {}),
        check,
        span,
        rule("check", "ids", "id", match='request.time == timestamp("2018-01-01T00:00:00Z")'),
        rule("report", "out", "log", match="response.code == 200"),
        rule("late", "ids", "id", match="response.code == 200"),
    )
    assert told(*objects) == [
        "check spec.match mixer-never-repeats",
        "id spec.value mixer-never-repeats",
        "id spec.value mixer-never-repeats",
        "late spec.match mixer-attribute-late",
    ]
