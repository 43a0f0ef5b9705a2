import pytest

from proa.core.config.app_endpoint import AppEndpoint, parse_app_endpoint


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("127.0.0.1:8080", AppEndpoint("127.0.0.1", 8080)),
        ("[::1]:80", AppEndpoint("::1", 80)),
        ("0.0.0.0:80", AppEndpoint("", 80)),
        ("[::]:80", AppEndpoint("", 80)),
        ("unix:///run/app.sock", AppEndpoint(socket="/run/app.sock")),
        ("unix://@app", AppEndpoint(socket="@app")),
        ("10.0.0.1:80", None),
        ("127.0.0.1", None),
        ("127.0.0.1:0", None),
        ("127.0.0.1:65536", None),
        ("unix://app.sock", None),
        ("unix:///run/", None),
        ("unix://@", None),
        ("unix:///" + "a" * 107, None),
    ],
)
def test_places(text: str, found: AppEndpoint | None) -> None:
    assert parse_app_endpoint(text) == found
