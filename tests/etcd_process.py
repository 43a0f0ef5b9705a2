"""Real etcds for tests: on loopback, at free ports, in a directory that goes with them.

with EtcdProcess() as etcd:
    etcd.address("some-prefix")      # etcd://127.0.0.1:PORT/some-prefix
    etcd.kill(); etcd.start()        # the same data at the same port
"""

import contextlib
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Final

from tests.ports import held_ports

READY_S: Final = 60.0


def why_no_etcd() -> str:
    """The reason to skip a test; empty when there is an etcd."""
    if shutil.which("etcd") and shutil.which("etcdctl"):
        return ""
    return "needs the commands etcd and etcdctl (Debian: etcd-server, etcd-client)"


class EtcdProcess:
    """One etcd of one member. With `tls`, a certificate of 127.0.0.1 and its key, it takes TLS with client
    certificates only; the certificate is its own issuer and good for both ends."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        self._tls = tls
        self._scheme = "https" if tls else "http"
        self._top = Path(tempfile.mkdtemp(prefix="etcd-", dir="/tmp"))
        self._held = contextlib.ExitStack()
        self._port, self._peer_port = self._held.enter_context(held_ports(2))
        self._popen: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "EtcdProcess":
        try:
            self.start()
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    @property
    def pid(self) -> int:
        assert self._popen is not None
        return self._popen.pid

    @property
    def authority(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def log(self) -> str:
        return (self._top / "log").read_text(errors="replace")

    def address(self, prefix: str) -> str:
        return f"etcd{'s' if self._scheme == 'https' else ''}://{self.authority}/{prefix}"

    def start(self) -> None:
        """Returns when it answers."""
        client, peer = f"{self._scheme}://{self.authority}", f"http://127.0.0.1:{self._peer_port}"
        command = [
            "etcd",
            *("--name=only", f"--data-dir={self._top / 'data'}", f"--initial-cluster=only={peer}"),
            *(f"--listen-client-urls={client}", f"--advertise-client-urls={client}"),
            *(f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}"),
            "--logger=zap",
            "--unsafe-no-fsync" if _knows_no_fsync() else "--log-level=warn",
            *self._tls_flags(),
        ]
        with (self._top / "log").open("ab") as log:
            self._popen = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self._popen.poll() is None, f"etcd ended:\n{self.log}"
            assert time.monotonic() < deadline, f"etcd does not answer:\n{self.log}"
            time.sleep(0.02)

    def _tls_flags(self) -> tuple[str, ...]:
        if self._tls is None:
            return ()
        certificate, key = self._tls
        trusted = f"--trusted-ca-file={certificate}"
        return (f"--cert-file={certificate}", f"--key-file={key}", trusted, "--client-cert-auth")

    def _answers(self) -> bool:
        request = urllib.request.Request(
            f"{self._scheme}://{self.authority}/v3/kv/range", data=b'{"key":"YQ=="}'
        )
        context = None
        if self._tls:
            context = ssl.create_default_context(cafile=self._tls[0])
            context.load_cert_chain(*self._tls)
        try:
            with urllib.request.urlopen(request, timeout=2, context=context) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def kill(self) -> None:
        """kill -9; what was committed is on its disk."""
        assert self._popen is not None
        self._popen.kill()
        self._popen.wait()

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

    def _end(self) -> None:
        if self._popen is not None and self._popen.poll() is None:
            self.kill()
        self._held.close()
        shutil.rmtree(self._top, ignore_errors=True)


def _knows_no_fsync() -> bool:
    """Newer ones can be told that tests need no disk."""
    done = subprocess.run(("etcd", "--help"), capture_output=True, text=True, timeout=60, check=False)
    return "--unsafe-no-fsync" in done.stdout + done.stderr
