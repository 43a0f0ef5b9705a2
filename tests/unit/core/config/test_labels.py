from proa.core.config.labels import (
    check_labels,
    check_selector,
    is_label_key,
    is_label_value,
    is_namespace_name,
    is_object_name,
)


def test_names() -> None:
    assert is_object_name("a.b-c.1")
    assert not any(map(is_object_name, ["", "A", "a_b", ".a", "a..b", "a" * 254, "a\n"]))
    assert is_namespace_name("prod-1")
    assert not any(map(is_namespace_name, ["", "a.b", "A", "a" * 64]))


def test_labels() -> None:
    assert all(map(is_label_key, ["app", "app.kubernetes.io/name", "A_b.c-d"]))
    assert not any(map(is_label_key, ["", "/a", "a/", "a/b/c", "A/b", "a" * 64, "-a"]))
    assert all(map(is_label_value, ["", "v1", "A_b.c-d"]))
    assert not any(map(is_label_value, ["a b", "-a", "a" * 64, "ä"]))


def test_every_bad_label_is_told_at_its_key() -> None:
    found = list(check_labels({"a b": "c", "d": "e f", "g": "h"}, ("labels",)))
    assert [finding.path for finding in found] == [("labels", "a b"), ("labels", "d")]


def test_a_wildcard_in_a_selector_has_its_own_words() -> None:
    found = list(check_selector({"app": "*", "*": "a", "x": "a b"}, ()))
    assert [(finding.path, "wildcard" in finding.message) for finding in found] == [
        (("app",), True),
        (("*",), True),
        (("x",), False),
    ]
