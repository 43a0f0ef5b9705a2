import pytest

from proa.core.config.export_to import check_export_to, sees, visible_in


def codes(*entries: str, may_hide: bool = False) -> list[str]:
    return [finding.code for finding in check_export_to(entries, "default", (), may_hide=may_hide)]


def test_all_own_or_named() -> None:
    assert codes() == codes("*") == codes(".") == codes("other", ".") == []


def test_only_some_kinds_can_be_hidden() -> None:
    assert codes("~") == ["bad-value"]
    assert codes("~", may_hide=True) == []
    assert codes("~", ".", may_hide=True) == ["conflict"]


def test_what_is_no_namespace_or_stands_twice() -> None:
    assert codes("A b") == ["bad-value"]
    assert codes(".", ".") == ["duplicate"]
    assert codes(".", "default") == ["duplicate"]
    assert codes("*", ".") == ["conflict"]


@pytest.mark.parametrize(
    ("entries", "visible"),
    [
        ((), ("*",)),
        (("*",), ("*",)),
        ((".",), ("default",)),
        (("shop", "."), ("default", "shop")),
        (("~",), ()),
    ],
)
def test_who_sees(entries: tuple[str, ...], visible: tuple[str, ...]) -> None:
    assert visible_in(entries, "default") == visible
    assert sees(visible, "default") == ("default" in visible or "*" in visible)
    assert sees(visible, "elsewhere") == ("*" in visible)
