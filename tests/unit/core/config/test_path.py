import pytest

from proa.core.config.path import Path, is_under, path_text


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("spec", "http", 0, "route", 1, "weight"), "spec.http[0].route[1].weight"),
        (("headers", "end-user"), "headers[end-user]"),
        (("labels", "app.kubernetes.io/name"), "labels[app.kubernetes.io/name]"),
        (("portLevelMtls", "8080"), "portLevelMtls[8080]"),
        (("labels", "a b", ""), 'labels["a b"][""]'),
        (("labels", "a]b"), 'labels["a]b"]'),
        (("items", 2), "items[2]"),
    ],
)
def test_paths_print_as_istio_prints_them(path: Path, text: str) -> None:
    assert path_text(path) == text


def test_a_path_is_under_itself_and_its_ancestors() -> None:
    assert is_under(("spec", "http", 0), ("spec",))
    assert is_under(("spec",), ("spec",))
    assert not is_under(("spec",), ("spec", "http"))
