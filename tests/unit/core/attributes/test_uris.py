import pytest

from proa.core.attributes.uris import same_uri, uri_fault


@pytest.mark.parametrize(
    "text",
    [
        "http://istio.io",
        "www.istio.io",
        "urn:foo",
        "/a/b?c=%zz#d",
        "a/b:c",
        "http://u:p@h:80/x",
        "http://[::1]:80/",
        "http://[fe80::1%25en0]/",
        "mailto:a@b",
        "?a",
        "//host/path",
        "http://bücher.example/ü",
    ],
)
def test_uris(text: str) -> None:
    assert uri_fault(text) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":/",
        ":foo",
        "1a:b",
        "http://h:p/",
        "http://a b/",
        "http://[::1/",
        "/%zz",
        "a\nb",
        "http://h#%4",
        "http://a:b:c",
    ],
)
def test_no_uris(text: str) -> None:
    assert uri_fault(text) is not None


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("http://foo.bar.com", "HTTP://fOO.bar.com.", True),
        ("http://istio.io:80", "http://istio.io:81", False),
        ("http://istio.io:80", "http://istio.io", False),
        ("https://a/b", "http://a/b", False),
        ("http://a/b", "http://a/B", False),
        ("ftp://A/", "ftp://a/", False),
        ("URN:foo", "urn:foo", True),
        ("urn:Foo", "urn:foo", False),
        ("http://[::A]/", "http://[::a]/", True),
        ("http://u@a/", "http://a/", False),
        ("a", "a", True),
    ],
)
def test_sameness(first: str, second: str, same: bool) -> None:
    assert same_uri(first, second) is same
    assert same_uri(second, first) is same


@pytest.mark.parametrize(("first", "second"), [(":", "a"), ("a", ":"), ("http://-a/", "http://b/")])
def test_what_cannot_be_compared(first: str, second: str) -> None:
    with pytest.raises(ValueError, match=r"is no"):
        same_uri(first, second)
