"""What a Gateway says, as users write it. Read by its validator and by Pilot's translation."""

from types import MappingProxyType
from typing import Literal

from immutables import Map

from proa.core.config.record import Count32, Port, Record

TlsMode = Literal["PASSTHROUGH", "SIMPLE", "MUTUAL", "AUTO_PASSTHROUGH", "ISTIO_MUTUAL", "OPTIONAL_MUTUAL"]
TlsVersion = Literal["TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"]


class ServerPort(Record, frozen=True, kw_only=True):
    """`protocol` keeps the user's spelling; compare it in upper case. `target_port` has no effect, as in Istio."""

    IDLE = MappingProxyType({"targetPort": "it has no effect on a gateway, in Istio either"})

    number: Port
    name: str
    protocol: str
    target_port: Count32 = 0


class TlsCertificate(Record, frozen=True, kw_only=True):
    """Files on the gateway's host. `ca_certificates` has no effect, as in Istio."""

    IDLE = MappingProxyType({"caCertificates": "it has no effect in Istio either; that of tls has"})

    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""


class ServerTls(Record, frozen=True, kw_only=True):
    """Paths are of files on the gateway's host; credentials are secrets kept there by name. `verify_certificate_spki`
    is base64 and `verify_certificate_hash` hex, of SHA-256; a client's certificate that fits either passes."""

    https_redirect: bool = False
    mode: TlsMode = "PASSTHROUGH"
    server_certificate: str = ""
    private_key: str = ""
    ca_certificates: str = ""
    ca_crl: str = ""
    credential_name: str = ""
    credential_names: tuple[str, ...] = ()
    ca_cert_credential_name: str = ""
    tls_certificates: tuple[TlsCertificate, ...] = ()
    subject_alt_names: tuple[str, ...] = ()
    verify_certificate_spki: tuple[str, ...] = ()
    verify_certificate_hash: tuple[str, ...] = ()
    min_protocol_version: TlsVersion = "TLS_AUTO"
    max_protocol_version: TlsVersion = "TLS_AUTO"
    cipher_suites: tuple[str, ...] = ()
    insecure_skip_verify: bool = False
    ecdh_curves: tuple[str, ...] = ()

    @property
    def all_credentials(self) -> tuple[str, ...]:
        """The secrets with the server's own certificates."""
        return (self.credential_name,) if self.credential_name else self.credential_names

    @property
    def pairs(self) -> tuple[TlsCertificate, ...]:
        """The files with the server's own certificates."""
        if self.tls_certificates:
            return self.tls_certificates
        if not self.server_certificate and not self.private_key:
            return ()
        return (TlsCertificate(server_certificate=self.server_certificate, private_key=self.private_key),)


class Server(Record, frozen=True, kw_only=True):
    """`hosts` are `[namespace/]name`, the namespace `*`, `.` or a name. `bind` is an IP address of the gateway's
    host, empty for the one the gateway has. `default_endpoint` has no effect, as in Istio."""

    IDLE = MappingProxyType({"defaultEndpoint": "it was never in force, in Istio either"})

    port: ServerPort
    hosts: tuple[str, ...]
    name: str = ""
    bind: str = ""
    default_endpoint: str = ""
    tls: ServerTls | None = None

    @property
    def is_tls(self) -> bool:
        """True when connections begin with a TLS handshake, whoever ends it."""
        return self.port.protocol.upper() in ("HTTPS", "TLS")

    @property
    def is_http(self) -> bool:
        """True when the gateway itself reads requests."""
        protocol = self.port.protocol.upper()
        if protocol == "HTTPS":
            return self.tls is not None and self.tls.mode not in ("PASSTHROUGH", "AUTO_PASSTHROUGH")
        return protocol in ("HTTP", "HTTP2", "GRPC", "GRPC-WEB")


class Gateway(Record, frozen=True, kw_only=True):
    """`selector`: labels of the gateway proxies that serve it, in any namespace; empty means all of them."""

    selector: Map[str, str] = Map()
    servers: tuple[Server, ...]
