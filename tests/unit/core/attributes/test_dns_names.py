import pytest

from proa.core.attributes.dns_names import dns_name_fault, same_dns_name


@pytest.mark.parametrize(
    "text",
    [
        "foo",
        "foo.bar.baz.",
        "Foo.BAR",
        "xn--bcher-kva.example",
        "bücher.example",
        "Bücher.example",
        "1.2.3.4",
        "a" * 63,
    ],
)
def test_names(text: str) -> None:
    assert dns_name_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        ".foo",
        "foo..bar",
        "-foo.-bar",
        "foo-",
        "foo_bar",
        "foo bar",
        "ab--cd",
        "a" * 64,
        "ü" * 63,
        ".".join(["a" * 60] * 5),
        "xn--\x80",
        "xn--a",
        "foo:80",
        "*.foo",
    ],
)
def test_no_names(text: str) -> None:
    assert dns_name_fault(text) is not None


def test_the_reason_says_which_part() -> None:
    assert dns_name_fault("good.-bad.com") == 'the part "-bad" begins or ends with a hyphen'


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("foo.bar", "FOO.Bar", True),
        ("foo.bar.", "foo.bar", True),
        ("foo.bar", "foo.bar.", True),
        ("foo.bar", "foo.baz", False),
        ("bücher.example", "xn--bcher-kva.example", True),
        ("BÜCHER.example", "bücher.EXAMPLE.", True),
        ("a", "b", False),
        ("", "", True),
        ("", ".", True),
        ("a..b", "A..B.", True),
        ("", "a", False),
    ],
)
def test_sameness(first: str, second: str, same: bool) -> None:
    assert same_dns_name(first, second) is same


def test_what_cannot_be_looked_up() -> None:
    with pytest.raises(ValueError, match="is no DNS name"):
        same_dns_name("-", "-")
