import pytest

from proa.core.config.regex import regex_fault, substitution_fault


@pytest.mark.parametrize(
    "pattern", [".*", "[0-9]+", "/api/v[12]/(a|b)", r"^(.*?;)?(user=jason)(;.*)?$", "a\x00"]
)
def test_what_the_proxy_takes(pattern: str) -> None:
    assert regex_fault(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "code"),
    [
        ("", "bad-regex"),
        ("(", "bad-regex"),
        (r"(a)\1", "bad-regex"),
        ("(?=a)", "bad-regex"),
        ("a{1001}", "bad-regex"),
        ("\ud800", "bad-regex"),
        ("a{300}", "regex-too-large"),
    ],
)
def test_what_the_proxy_refuses(pattern: str, code: str) -> None:
    fault = regex_fault(pattern)
    assert fault is not None
    assert fault[0] == code


@pytest.mark.parametrize("substitution", ["", "a", r"\0\1", r"\\1", r"/\2"])
def test_substitutions(substitution: str) -> None:
    assert substitution_fault("(a)(b)", substitution) is None


@pytest.mark.parametrize("substitution", [r"\3", "\\", r"\a", r"\²"])
def test_bad_substitutions(substitution: str) -> None:
    assert substitution_fault("(a)(b)", substitution) is not None
