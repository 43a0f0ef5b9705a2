import pytest

from proa.core.model.secret_names import (
    Wanted,
    credential_roots_secret,
    credential_secret,
    file_roots_secret,
    file_secret,
    parse_secret_name,
    secret_name_fault,
)


def test_what_is_asked_for_is_what_was_named() -> None:
    wanted = {
        credential_secret("a"): Wanted(part="certificate", credential="a"),
        credential_roots_secret("a"): Wanted(part="roots", credential="a"),
        file_secret("/c", "/k"): Wanted(part="certificate", files=("/c", "/k")),
        file_roots_secret("/r"): Wanted(part="roots", files=("/r",)),
        file_roots_secret("/r", "/l"): Wanted(part="roots", files=("/r", "/l")),
    }
    assert {name: parse_secret_name(name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "name", ["default", "ROOTCA", "", "file-cert:/c", "file-cert:~", "file-root:/a~/b~/c"]
)
def test_other_names_are_not_an_operators(name: str) -> None:
    assert parse_secret_name(name) is None


def test_names_become_files() -> None:
    assert secret_name_fault("shop.example-1_a") is None
    for bad in ("", "..", "../a", "a/b", "-a", "é"):
        assert secret_name_fault(bad)
