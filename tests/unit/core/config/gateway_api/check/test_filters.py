import pytest

from proa.core.config.gateway_api.check.filters import FILTERS, OF_BACKENDS, check_filters
from proa.core.config.gateway_api.schema import Filter, PathModifier, RequestRedirect, UrlRewrite

REWRITE = UrlRewrite(path=PathModifier(type="ReplaceFullPath", replace_full_path="/a"))


@pytest.mark.parametrize(
    ("given", "known", "codes"),
    [
        (Filter(type="URLRewrite", url_rewrite=REWRITE), tuple(FILTERS), []),
        (Filter(type="URLRewrite", url_rewrite=REWRITE), OF_BACKENDS, ["not-supported-yet"]),
        (Filter(type="URLRewrite"), tuple(FILTERS), ["required"]),
        (Filter(type="URLRewrit"), tuple(FILTERS), ["bad-value"]),
        (
            Filter(type="RequestRedirect", request_redirect=RequestRedirect(status_code=304)),
            tuple(FILTERS),
            ["bad-value"],
        ),
    ],
)
def test_filters(given: Filter, known: tuple[str, ...], codes: list[str]) -> None:
    assert [each.code for each in check_filters((given,), (), known, "a rule")] == codes
