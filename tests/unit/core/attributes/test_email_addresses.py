import pytest

from proa.core.attributes.email_addresses import email_fault, same_email


@pytest.mark.parametrize(
    "text",
    [
        "a@b.c",
        '"a"@b.c',
        '"a b\\""@b.c',
        "<a@b.c>",
        " a@b.c ",
        "a.b+c@d",
        "ä@b.c",
        "a@bücher.example",
        '"@"@b.c',
    ],
)
def test_addresses(text: str) -> None:
    assert email_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "barfoo",
        "@b.c",
        "a@",
        "a..b@c",
        ".a@c",
        "a@b@c",
        "a b@c",
        "A <a@b.c>",
        '"A" <a@b.c>',
        '""@b.c',
        "a@-b.c",
        "a@[1.2.3.4]",
        "<a@b.c",
        "a" * 2000 + "@b.c",
    ],
)
def test_no_addresses(text: str) -> None:
    assert email_fault(text) is not None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ('"a"@b.c', "a@b.c", True),
        ("a@B.c.", "<a@b.C>", False),
        ("a@B.c", "<a@b.C>", True),
        ("A@b.c", "a@b.c", False),
        ('"a\\b"@b.c', "ab@b.c", True),
    ],
)
def test_sameness(first: str, second: str, same: bool) -> None:
    if first.endswith("."):
        with pytest.raises(ValueError, match="no e-mail"):
            same_email(first, second)
    else:
        assert same_email(first, second) is same
