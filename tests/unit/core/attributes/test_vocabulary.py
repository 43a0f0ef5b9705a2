from proa.core.attributes.value_types import ValueType
from proa.core.attributes.vocabulary import ATTRIBUTES, STANDARD, Producer, vocabulary_of


def test_names_are_unique_and_deprecated_ones_say_what_is_used_instead() -> None:
    names = [row.name for row in ATTRIBUTES]
    assert len(set(names)) == len(names) == len(STANDARD.types)
    assert {row.deprecated_for for row in ATTRIBUTES} - {""} <= set(names)


def test_some_attributes() -> None:
    assert STANDARD.type_of("source.labels") is ValueType.STRING_MAP
    assert STANDARD.type_of("origin.ip") is ValueType.IP_ADDRESS
    assert STANDARD.type_of("response.duration") is ValueType.DURATION
    assert STANDARD.type_of("source.label") is None


def test_what_only_reports_have_is_of_the_end_of_requests() -> None:
    only_reports = {row.name for row in ATTRIBUTES if row.producers == (Producer.REPORT,)}
    assert {"response.code", "request.size", "connection.duration"} <= only_reports
    assert "request.path" not in only_reports


def test_own_vocabulary() -> None:
    assert vocabulary_of({"a.b": ValueType.URI}).type_of("a.b") is ValueType.URI
