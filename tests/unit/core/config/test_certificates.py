from proa.core.config.certificates import check_credential_name, check_file


def test_files() -> None:
    assert list(check_file("/etc/a.pem", ("tls",), "key", is_required=True)) == []
    assert list(check_file("", ("tls",), "key")) == []
    assert [(each.path, each.code) for each in check_file("", ("tls",), "key", is_required=True)] == [
        (("tls",), "required")
    ]
    for bad in ("a.pem", "/a~b", "/a\0"):
        assert [each.path for each in check_file(bad, ("tls",), "key")] == [("tls", "key")]


def test_secrets() -> None:
    assert list(check_credential_name("shop", ("a",))) == []
    assert [each.code for each in check_credential_name("sds://x", ("a",))] == ["not-supported-yet"]
    assert [each.code for each in check_credential_name("a/b", ("a",))] == ["bad-value"]
