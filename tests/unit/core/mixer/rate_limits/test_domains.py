import pytest

from proa.core.mixer.rate_limits.domains import Domain, domain_text, read_domain


@pytest.mark.parametrize("domain", [Domain(80), Domain(9080, ("a",)), Domain(0, ("a", "b.c"))])
def test_what_is_written_is_read(domain: Domain) -> None:
    assert read_domain(domain_text(domain.port, domain.quotas)) == domain


@pytest.mark.parametrize(
    "text", ["", "other/80", "proa.mixer", "proa.mixer/x", "proa.mixer/70000/a", "proa.mixer/²"]
)
def test_others_are_none_of_ours(text: str) -> None:
    assert read_domain(text) is None


def test_a_number_of_any_length_is_none() -> None:
    assert read_domain(f"proa.mixer/{'9' * 5000}") is None
