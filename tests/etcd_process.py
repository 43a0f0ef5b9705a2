"""Real etcds for tests.

with EtcdProcess() as etcd:
    etcd.address("some-prefix")      # etcd://127.0.0.1:PORT/some-prefix
    etcd.kill(); etcd.start()        # the same data at the same port
"""

import shutil
import ssl
import subprocess
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tests.server_process import ServerProcess


def why_no_etcd() -> str:
    """The reason to skip a test; empty when there is an etcd."""
    if shutil.which("etcd") and shutil.which("etcdctl"):
        return ""
    return "needs the commands etcd and etcdctl (Debian: etcd-server, etcd-client)"


class EtcdProcess(ServerProcess):
    """One etcd of one member. With `tls`, a certificate of 127.0.0.1 and its key, it takes TLS with client
    certificates only; the certificate is its own issuer and good for both ends."""

    NAME, PORTS = "etcd", 2

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self._tls = tls
        self._scheme = "https" if tls else "http"
        super().__init__()

    def address(self, prefix: str) -> str:
        return f"etcd{'s' if self._tls else ''}://{self.authority}/{prefix}"

    def command(self) -> Sequence[str]:
        client, peer = f"{self._scheme}://{self.authority}", f"http://127.0.0.1:{self.ports[1]}"
        return [
            "etcd",
            *("--name=only", f"--data-dir={self.top / 'data'}", f"--initial-cluster=only={peer}"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            "--logger=zap",
            "--unsafe-no-fsync" if _knows_no_fsync() else "--log-level=warn",
            *self._tls_flags(),
        ]

    def _tls_flags(self) -> tuple[str, ...]:
        if self._tls is None:
            return ()
        certificate, key = self._tls
        trusted = f"--trusted-ca-file={certificate}"
        return (f"--cert-file={certificate}", f"--key-file={key}", trusted, "--client-cert-auth")

    def answers(self) -> bool:
        request = urllib.request.Request(
            f"{self._scheme}://{self.authority}/v3/kv/range", data=b'{"key":"YQ=="}'
        )
        context = None
        if self._tls:
            context = ssl.create_default_context(cafile=self._tls[0])
            context.load_cert_chain(*self._tls)
        with urllib.request.urlopen(request, timeout=2, context=context) as answer:
            return bool(answer.status == 200)

    def etcdctl(self, *words: str) -> str:
        done = subprocess.run(
            ("etcdctl", f"--endpoints={self._scheme}://{self.authority}", *words),
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            env={"ETCDCTL_API": "3", "PATH": "/usr/bin:/bin"},
        )
        return done.stdout


def _knows_no_fsync() -> bool:
    """Newer ones can be told that tests need no disk."""
    done = subprocess.run(("etcd", "--help"), capture_output=True, text=True, timeout=60, check=False)
    return "--unsafe-no-fsync" in done.stdout + done.stderr
