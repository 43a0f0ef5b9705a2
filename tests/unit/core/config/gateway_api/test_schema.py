import pytest

from proa.core.config.gateway_api.schema import BackendObject, Fraction, RequestMirror


@pytest.mark.parametrize(
    ("mirror", "share"),
    [
        (RequestMirror(backend_ref=BackendObject(name="a")), 100.0),
        (RequestMirror(backend_ref=BackendObject(name="a"), percent=0), 0.0),
        (
            RequestMirror(backend_ref=BackendObject(name="a"), fraction=Fraction(numerator=1, denominator=8)),
            12.5,
        ),
    ],
)
def test_shares_of_copies(mirror: RequestMirror, share: float) -> None:
    assert mirror.share == share
