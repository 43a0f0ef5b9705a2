"""Any set of valid objects, offered by delta ADS to running Envoys, is ACKed. A few sets each time, ten minutes of them
under `scripts/test endurance -k acks`.
"""

import asyncio
from pathlib import Path

import pytest

from proa.core.pilot.resource import ResourceType
from proa.testing.builders import configs
from tests.mesh.programs import why_no_envoy
from tests.properties.envoy.law import hold
from tests.properties.envoy.referee import Verdict, referee

pytestmark = [
    pytest.mark.mesh,
    pytest.mark.skipif(bool(why_no_envoy()), reason=why_no_envoy() or "there is one"),
]

SETS = 10
"""Few and full: a set costs its two changes and their answers, of however many objects it is."""
OBJECTS = 14
# Valid in every type that we know, and no Envoy takes it: a listener without an address.
REFUSED = """
apiVersion: networking.istio.io/v1alpha3
kind: EnvoyFilter
metadata: {name: wrong, namespace: istio-system}
spec:
  configPatches:
  - applyTo: LISTENER
    match: {context: SIDECAR_OUTBOUND}
    patch: {operation: ADD, value: {name: nowhere}}
"""


def test_what_is_valid_is_taken() -> None:
    judge = hold(SETS, most=OBJECTS)
    assert judge.judged == SETS
    # What only looks like a law, because nothing is sent, would be seen here.
    for kind in (ResourceType.CLUSTER, ResourceType.LISTENER, ResourceType.ROUTE, ResourceType.ENDPOINT):
        assert judge.resources_sent[kind] > 10, kind


def test_a_refusal_would_be_seen(tmp_path_factory: pytest.TempPathFactory) -> None:
    async def judged() -> Verdict:
        async with referee(short_path(tmp_path_factory)) as judge:
            return await judge.judge(configs(REFUSED))

    verdict = asyncio.run(judged())
    assert "LISTENER nowhere of EnvoyFilter/istio-system/wrong" in str(verdict)


def short_path(factory: pytest.TempPathFactory) -> Path:
    """Sockets have paths of a hundred characters."""
    return factory.mktemp("law", numbered=True)
