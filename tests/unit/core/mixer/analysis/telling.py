"""How the tests of these checks ask, and the objects of 2018's task on rate limits."""

from proa.core.config import path_text
from proa.core.config.analyze.analysis import analyze
from proa.core.config.analyze.world import build_world
from proa.core.config.config import Config
from proa.core.config.mixer.catalogue import BUILT_IN
from proa.core.mixer.analysis.findings import mixer_check
from proa.testing.mixer import mixer_config


def told(*configs: Config) -> list[str]:
    """`name path code`, in order of names."""
    found = analyze(build_world(configs), [mixer_check(BUILT_IN)])
    return sorted(f"{each.about.name} {path_text(each.path)} {each.code}" for each in found)


LIMITS = mixer_config(
    "memquota",
    "handler",
    {
        "quotas": [
            {
                "name": "requestcount.quota.istio-system",
                "maxAmount": 500,
                "validDuration": "1s",
                "overrides": [
                    {"dimensions": {"destination": "reviews"}, "maxAmount": 1, "validDuration": "5s"},
                    {
                        "dimensions": {"destination": "productpage", "sourse": "10.28.11.20"},
                        "maxAmount": 500,
                        "validDuration": "1s",
                    },
                ],
            },
            {"name": "requestcout.quota.istio-system", "maxAmount": 5, "validDuration": "1s"},
        ]
    },
    "istio-system",
)
REQUESTS = mixer_config(
    "quota",
    "requestcount",
    {
        "dimensions": {
            "source": 'request.headers["x-forwarded-for"] | "unknown"',
            "destination": 'destination.labels["app"] | destination.service | "unknown"',
        }
    },
    "istio-system",
)
OTHER = mixer_config("quota", "other", {"dimensions": {"size": "response.size"}}, "istio-system")
