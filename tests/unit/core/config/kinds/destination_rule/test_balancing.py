import pytest

from proa.core.config import Json
from proa.core.config.kinds.destination_rule.balancing import check_load_balancer
from proa.core.config.kinds.destination_rule.schema import ConsistentHash, LoadBalancer, Maglev
from tests.unit.core.config.judged import judge

AT = "spec.trafficPolicy.loadBalancer"


@pytest.mark.parametrize(
    ("balancer", "told"),
    [
        ({"consistentHash": {"useSourceIp": True}}, []),
        ({"consistentHash": {}}, [".consistentHash required"]),
        ({"consistentHash": {"useSourceIp": True}, "simple": "RANDOM"}, [" conflict"]),
        ({"consistentHash": {"httpCookie": {"name": ""}}}, [".consistentHash.httpCookie.name required"]),
        ({"simple": "RANDOM", "warmup": {"duration": "1s"}}, [".warmup conflict"]),
        ({"warmupDurationSecs": "1s"}, [".warmupDurationSecs deprecated"]),
    ],
)
def test_balancers(balancer: Json, told: list[str]) -> None:
    found = judge("dr", {"host": "a", "trafficPolicy": {"loadBalancer": balancer}})
    assert found == [f"{AT}{each}" for each in told]


@pytest.mark.parametrize("size", [2, 3, 65537, 5000011 - 8])
def test_primes(size: int) -> None:
    spec = LoadBalancer(consistent_hash=ConsistentHash(use_source_ip=True, maglev=Maglev(table_size=size)))
    is_prime = all(size % factor for factor in range(2, size))
    assert (list(check_load_balancer(spec, (), ejects=False)) == []) == is_prime
