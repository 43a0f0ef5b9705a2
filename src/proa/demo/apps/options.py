"""What one bookstore program is told at its start, from flags and environment.

The only reader of flags and environment among the programs; `serving.main` calls it. The environment names
of the neighbours are those of Istio's public sample, so that scripts written for it keep working.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SERVICE_PORT = 9080


@dataclass(frozen=True, kw_only=True, slots=True)
class Options:
    """`pod` is the name a program gives itself in its answers. Times are seconds."""

    service: str
    version: str = "v1"
    pod: str = ""
    port: int = 0
    details_url: str = f"http://details:{SERVICE_PORT}"
    reviews_url: str = f"http://reviews:{SERVICE_PORT}"
    ratings_url: str = f"http://ratings:{SERVICE_PORT}"
    details_timeout: float = 3.0
    reviews_timeout: float = 3.0
    ratings_timeout: float = 10.0

    @property
    def name(self) -> str:
        return self.pod or f"{self.service}-{self.version}"


def read_options(service: str, argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Flags win over the environment. Bad or missing values end the program with exit code 2, as argparse
    does.
    """
    parser = argparse.ArgumentParser(
        prog=f"python -m proa.demo.apps.{service}", description=f"The bookstore's {service}."
    )
    parser.add_argument(
        "--version", default=environ.get("SERVICE_VERSION", "v1"), help="v1, v2, ... (default v1)"
    )
    parser.add_argument(
        "--port", type=int, default=environ.get("PORT"), help="port on 127.0.0.1 (default $PORT)"
    )
    parser.add_argument("--pod", default="", help="name given in answers (default SERVICE-VERSION)")
    parser.add_argument(
        "--ratings-timeout",
        type=float,
        default=10.0 if service == "reviews" else 3.0,
        metavar="SECONDS",
        help="how long to wait for the ratings service (default %(default)s)",
    )
    given = parser.parse_args(argv)
    if given.port is None:
        parser.error("no port: give --port or set PORT")
    return Options(
        service=service,
        version=given.version,
        pod=given.pod,
        port=given.port,
        details_url=_upstream_url("details", environ),
        reviews_url=_upstream_url("reviews", environ),
        ratings_url=_upstream_url("ratings", environ),
        ratings_timeout=given.ratings_timeout,
    )


def _upstream_url(service: str, environ: Mapping[str, str]) -> str:
    """`DETAILS_HOSTNAME`, `DETAILS_SERVICE_PORT` and `SERVICES_DOMAIN` mean what they mean in Istio's
    sample.
    """
    host = environ.get(f"{service.upper()}_HOSTNAME", service)
    domain = environ.get("SERVICES_DOMAIN", "")
    # A port variable set by Kubernetes or Docker links may hold a URL (tcp://10.0.0.1:9080): only digits
    # count.
    port = environ.get(f"{service.upper()}_SERVICE_PORT", "")
    return f"http://{host}{'.' + domain if domain else ''}:{port if port.isdigit() else SERVICE_PORT}"
