from proa.core.config.export_to import check_export_to


def codes(*entries: str) -> list[str]:
    return [finding.code for finding in check_export_to(entries, "default", ())]


def test_all_or_own() -> None:
    assert codes() == codes("*") == codes(".") == []


def test_names_come_later() -> None:
    assert codes("other") == codes("~") == ["not-supported-yet"]


def test_what_is_no_namespace_or_stands_twice() -> None:
    assert codes("A b") == ["bad-value"]
    assert codes(".", ".") == ["duplicate"]
    assert codes(".", "default") == ["duplicate", "not-supported-yet"]
    assert codes("*", ".") == ["conflict"]
