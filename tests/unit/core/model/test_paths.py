import pytest

from proa.core.model.paths import is_read_twice


@pytest.mark.parametrize(
    ("path", "is_refused"),
    [
        ("/a/..;x/b", True),
        ("/.;", True),
        ("/..;/a?q", True),
        ("/a..;x", False),
        ("/a;..;x", False),
        ("/...;x", False),
        ("/.well-known;x", False),
        ("/a?to=/..;x", False),
    ],
)
def test_dots_with_parameters(path: str, is_refused: bool) -> None:
    assert is_read_twice(path) == is_refused
