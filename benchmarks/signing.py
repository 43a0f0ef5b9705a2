"""B14: how many certificates a second the authority signs: on one core, on all, and through its API.

The peer signs the same content with the `cryptography` package alone, one after the other; it compares nothing and
writes nothing down.
"""

import asyncio
import os
import secrets
import socket
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from cryptography.x509.oid import ExtendedKeyUsageOID

from benchmarks.figures import Figure, rounds
from benchmarks.workshop import Workshop
from proa.adapters.config_sources.sqlite import open_stores
from proa.adapters.key_stores.memory import MemoryKeyStore
from proa.control_plane.askers import Askers
from proa.control_plane.authority import Authority
from proa.control_plane.callers import Callers
from proa.control_plane.limits import Limits
from proa.control_plane.own_certificate import OwnCertificate
from proa.control_plane.refusals import Refusals
from proa.control_plane.signers import Signers, signing_workers
from proa.core.auth.ca import make_intermediate, make_root, private_pem, to_pem
from proa.core.auth.csr import CsrRefused, build_csr
from proa.core.auth.signing import SigningJob, sign_job
from proa.core.auth.spiffe import workload_id
from proa.core.auth.template import LEAF_TTL, workload_leaf
from proa.core.model.names import WorkloadId
from proa.runtime.bucket import Rate
from proa.servers.authority.attempts import Attempts
from proa.servers.authority.istio import Request, istio_service
from proa.servers.grpc_edge import serving_grpc

TRUST_DOMAIN = "cluster.local"
REVIEWS = WorkloadId("default", "reviews-v1")
IDENTITY = workload_id(TRUST_DOMAIN, "default", "reviews")
PAIRS = 5
SIGNATURES = 1_000
CALLS = 400
IN_FLIGHT = 32
CONNECTIONS = 4
FREE = Rate(per_s=1e6, burst=1e6)
METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate"


def make_job() -> SigningJob:
    now = time.time()
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(3)]
    root = make_root(TRUST_DOMAIN, keys[0], 1, now)
    signer = make_intermediate(TRUST_DOMAIN, root, keys[1], 2, now)
    template = workload_leaf(TRUST_DOMAIN, REVIEWS, "reviews", 3, signer.validity(now, LEAF_TTL))
    return SigningJob(
        template=template,
        csr_pem=build_csr(keys[2], IDENTITY),
        signer_key=signer.key_pem,
        signer_chain=signer.chain_pem,
    )


def sign_many(job: SigningJob, count: int) -> float:
    """Seconds."""
    began = time.perf_counter()
    for _ in range(count):
        if isinstance(sign_job(job), CsrRefused):
            raise RuntimeError("the request was refused")
    return time.perf_counter() - began


def sign_plainly(job: SigningJob, count: int) -> float:
    """The same content by the package alone."""
    key = load_pem_private_key(job.signer_key.encode(), password=None)
    signer = x509.load_pem_x509_certificate(job.signer_chain.encode())
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    names = [
        x509.UniformResourceIdentifier(str(job.template.uri)),
        *map(x509.DNSName, job.template.dns_names),
    ]
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    purposes = [ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]
    began = time.perf_counter()
    for _ in range(count):
        request = x509.load_pem_x509_csr(job.csr_pem.encode())
        if not request.is_signature_valid:
            raise RuntimeError("the request is not signed")
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(signer.subject)
            .public_key(request.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(datetime.fromtimestamp(job.template.not_before, UTC))
            .not_valid_after(datetime.fromtimestamp(job.template.not_after, UTC))
            .add_extension(x509.SubjectAlternativeName(names), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        )
        builder.sign(key, SHA256()).public_bytes(Encoding.PEM)
    return time.perf_counter() - began


def on_all(
    pool: ProcessPoolExecutor, cores: int, work: Callable[[SigningJob, int], float], job: SigningJob
) -> float:
    """Signatures per second of all processes together; each begins when the pool gives it its share."""
    began = time.perf_counter()
    for done in [pool.submit(work, job, SIGNATURES) for _ in range(cores)]:
        done.result()
    return cores * SIGNATURES / (time.perf_counter() - began)


async def measure_signing(_workshop: Workshop, full: bool) -> Sequence[Figure]:
    pairs = 2 * PAIRS if full else PAIRS
    job, cores = make_job(), os.cpu_count() or 1
    here: dict[str, list[float]] = {"ours": [], "peer": []}
    for _, system in rounds(("ours", "peer"), pairs):
        work = sign_many if system == "ours" else sign_plainly
        here[system].append(SIGNATURES / work(job, SIGNATURES))
    everywhere: dict[str, list[float]] = {"ours": [], "peer": []}
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        on_all(pool, cores, sign_many, job)  # processes have started and parsed the signer
        for _, system in rounds(("ours", "peer"), pairs):
            work = sign_many if system == "ours" else sign_plainly
            everywhere[system].append(on_all(pool, cores, work, job))
    api: dict[str, list[float]] = {"ours": [], "peer": []}
    with tempfile.TemporaryDirectory(prefix="proa-b14-") as folder:
        async with AsyncExitStack() as stack:
            call = await _served(stack, Path(folder), cores)
            await call(IN_FLIGHT)
            for _, system in rounds(("ours", "peer"), pairs):
                api[system].append(
                    await call(CALLS) if system == "ours" else CALLS / sign_plainly(job, CALLS)
                )

    def figure(name: str, series: dict[str, list[float]], peer: str) -> Figure:
        return Figure(
            benchmark="B14",
            figure=name,
            unit="certificates/s",
            ours=tuple(series["ours"]),
            peer=tuple(series["peer"]),
            peer_name=peer,
            conditions={"cores": float(cores), "key": "P-256", "comparison": "ours compares what was signed"},
        )

    plain = "cryptography alone"
    return (
        figure("signing, one core", here, plain),
        figure("signing, all cores", everywhere, f"{plain}, as many processes"),
        figure("signing through the API", api, f"{plain}, in process, no API, no audit"),
    )


async def _served(stack: AsyncExitStack, folder: Path, cores: int) -> Callable[[int], Awaitable[float]]:
    stores = await stack.enter_async_context(open_stores(folder / "store.db"))
    workers = signing_workers(cores)
    if workers is not None:
        stack.callback(workers.close)
    authority = await Authority.open(
        trust_domain=TRUST_DOMAIN,
        keys=MemoryKeyStore(),
        store=stores.authority,
        clock=time.time,
        entropy=secrets.token_bytes,
        signers=Signers(workers),
    )
    own = await OwnCertificate.open(authority)
    limits = Limits(signs_of_node=FREE)
    refusals = Refusals(time.monotonic)
    askers = Askers(
        authority, (), Callers(limits, time.monotonic), Attempts(time.monotonic, rate=FREE), refusals
    )
    bound = socket.create_server(("127.0.0.1", 0))
    await stack.enter_async_context(serving_grpc([istio_service(askers)], [bound], own.credentials, 0.2))
    key = ec.generate_private_key(ec.SECP256R1())
    signer = authority.keyring.signer_now
    template = workload_leaf(TRUST_DOMAIN, REVIEWS, "reviews", 7, signer.validity(time.time(), LEAF_TTL))
    csr = build_csr(key, IDENTITY)
    leaf = sign_job(
        SigningJob(template=template, csr_pem=csr, signer_key=signer.key_pem, signer_chain=signer.chain_pem)
    )
    assert isinstance(leaf, str)
    credentials = grpc.ssl_channel_credentials(
        authority.roots_pem.encode(), private_pem(key).encode(), (leaf + to_pem(signer.certificate)).encode()
    )
    options = (
        ("grpc.ssl_target_name_override", "proa.istio-system.svc"),
        ("grpc.use_local_subchannel_pool", 1),
    )
    calls = []
    for _ in range(CONNECTIONS):
        channel = grpc.aio.secure_channel(f"127.0.0.1:{bound.getsockname()[1]}", credentials, options)
        await stack.enter_async_context(channel)
        calls.append(channel.unary_unary(METHOD, None, None))
    body = Request(csr=csr).SerializeToString()

    async def ask(count: int) -> float:
        left = iter(range(count))
        began = time.perf_counter()

        async def one(number: int) -> None:
            for _ in left:
                await calls[number % CONNECTIONS](body, timeout=60)

        async with asyncio.TaskGroup() as tasks:
            for number in range(IN_FLIGHT):
                tasks.create_task(one(number))
        return count / (time.perf_counter() - began)

    return ask
