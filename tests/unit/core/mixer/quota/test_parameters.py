from immutables import Map

from proa.core.config.mixer.parameters import MemQuota
from proa.core.mixer.quota.limits import Override, QuotaLimit
from proa.core.mixer.quota.parameters import limits_of
from proa.testing.mixer import mixer_config

HANDLER = mixer_config(
    "memquota",
    "handler",
    {
        "quotas": [
            {
                "name": "requests.quota.default",
                "maxAmount": 500,
                "validDuration": "1s",
                "overrides": [
                    {"dimensions": {"destination": "productpage"}, "maxAmount": 2, "validDuration": "600s"},
                    {"dimensions": {"destination": "ratings"}, "maxAmount": 3},
                ],
            }
        ]
    },
)


def test_parameters_are_limits() -> None:
    assert isinstance(HANDLER.spec, MemQuota)
    assert limits_of(HANDLER.spec) == (
        QuotaLimit(
            quota="requests.quota.default",
            max_amount=500,
            window_ms=1000,
            overrides=(
                Override(dimensions=Map(destination="productpage"), max_amount=2, window_ms=600_000),
                Override(dimensions=Map(destination="ratings"), max_amount=3),
            ),
        ),
    )
