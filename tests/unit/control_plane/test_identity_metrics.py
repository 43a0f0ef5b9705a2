"""What Prometheus reads of the authority: whom it signed for, what ends when, how far a rotation is."""

import asyncio
import secrets
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.authority import Authority, Issued
from proa.control_plane.identity_metrics import IdentityMetrics
from proa.control_plane.own_certificate import OwnCertificate
from proa.control_plane.rotation import Rotation
from proa.core.auth.csr import build_csr
from proa.core.auth.operators import Operator, operator_id
from proa.core.auth.root_rotation import Pace

TD = "cluster.local"


def test_what_there_is_to_see_of_identities(tmp_path: Path) -> None:
    async def body() -> None:
        async with open_stores(tmp_path / "store.db") as stores:
            authority = await Authority.open(
                trust_domain=TD,
                keys=MemoryKeyStore(),
                store=stores.authority,
                clock=time.time,
                entropy=secrets.token_bytes,
            )
            own = await OwnCertificate.open(authority)

            async def nobody() -> dict[str, object]:
                return {}

            rotation = Rotation(
                authority=authority,
                store=stores.authority,
                reports=nobody,  # type: ignore[arg-type]
                own=lambda: own.uses,
                clock=time.time,
                pace=Pace(hold_s=1000, skew_s=1),
                is_leader=lambda: True,
                plugged=None,
            )
            csr = build_csr(
                ec.generate_private_key(ec.SECP256R1()), operator_id(TD, Operator("ann", "viewer"))
            )
            issued = await authority.issue_operator(csr_pem=csr, name="ann", role="viewer", asked_by="root")
            assert isinstance(issued, Issued)
            await authority.revocations.revoke(issued.serial, reason="", author="t")
            registry = CollectorRegistry()
            registry.register(IdentityMetrics(authority, rotation.waiting, lambda: own.not_after, time.time))

            def value(name: str, **labels: str) -> float:
                text = generate_latest(registry).decode()
                samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
                (found,) = [each.value for each in samples if (each.name, each.labels) == (name, labels)]
                return float(found)

            assert value("proa_certificates_issued_total", **{"for": "operator"}) == 1
            assert value("proa_certificates_issued_total", **{"for": "control-plane"}) == 1
            assert value("proa_certificates_issued_total", **{"for": "workload"}) == 0
            assert value("proa_revocations") == 1
            day = 24 * 3600
            for certificate, least, most in (
                ("root", 3649 * day, 3650 * day),
                ("intermediate", 364 * day, 365 * day),
                ("control-plane", day - 600, day),
            ):
                found = value("proa_certificate_expiry_seconds", certificate=certificate)
                assert least < found <= most, certificate
            root = authority.signing_root[:12]
            assert value("proa_root_phase", root=root, phase="active") == 1
            assert value("proa_root_expiry_seconds", root=root) > 3649 * day
            assert value("proa_rotation_waits") == 0
            prepared = await rotation.rotate_root("me")
            await rotation.look()
            assert value("proa_root_phase", root=prepared.digest[:12], phase="prepared") == 1
            assert value("proa_rotation_waits") == 1

    asyncio.run(body())
