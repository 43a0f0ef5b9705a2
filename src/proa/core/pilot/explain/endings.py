"""How a request ends, as a verdict: in words that say what to mend, with Envoy's flags for whoever reads its log."""

from typing import Final

from proa.core.model.names import parse_cluster_name
from proa.core.pilot.explain.story import Verdict
from proa.core.pilot.simulate import Answered, Candidate, Check, Outcome

BLACK_HOLE: Final = "BlackHoleCluster"


def arrived(workload: str, candidate: Candidate, share: float) -> Verdict:
    where = candidate.address if not candidate.port else f"{candidate.address}:{candidate.port}"
    text = (
        f"reaches {workload}, whose program is at {where}"
        if workload
        else f"reaches {where}, where no proxy is known"
    )
    return Verdict(end="arrives", text=text, share=share * 100)


def leaves(outcome: Outcome, candidate: Candidate, share: float) -> Verdict:
    text = f"leaves the mesh for {candidate.address}:{candidate.port}"
    return Verdict(end="leaves", text=text, share=share * 100)


def broken(text: str, share: float) -> Verdict:
    return Verdict(end="refused", text=text, share=share * 100)


def refused(outcome: Outcome, share: float) -> Verdict:
    return Verdict(end="refused", text=f"the connection is closed: {outcome.why[-1]}", share=share * 100)


def denied(check: Check, share: float) -> Verdict:
    return Verdict(end="denied", text=f"the connection is closed: {check.why}", share=share * 100)


def failed_check(outcome: Outcome) -> Check | None:
    return next((check for check in outcome.checks if check.passed is False), None)


def answered(outcome: Outcome, end: Answered, advice: tuple[str, ...], share: float) -> Verdict:
    return Verdict(
        end="answered",
        status=end.status,
        text=f"{end.status}: {_reason(outcome, end)}",
        flags=outcome.flags,
        advice=advice,
        share=share * 100,
    )


def _reason(outcome: Outcome, end: Answered) -> str:
    failed = failed_check(outcome)
    if failed is not None:
        return failed.why
    match end.flag:
        case "NR":
            return "no route for it"
        case "NC":
            return f"there is no cluster {end.cluster}"
        case "UH":
            return _nobody(end.cluster)
        case "FI":
            return "a fault answers it"
    if end.location:
        return f"redirected to {end.location}"
    name = outcome.route.name if outcome.route else ""
    if name in ("block_all", "egress_proxy"):
        return "the host is not known and unknown ones are not let out"
    if name == "unserved_port":
        return end.body.strip()
    if name == "blackhole":
        return "no rule of this gateway's port is for the host"
    return "the proxy answers, as the rule says"


def _nobody(cluster: str) -> str:
    if cluster == BLACK_HOLE:
        return "what the rule sends to is not there"
    try:
        _, port, subset, host = parse_cluster_name(cluster)
    except ValueError:
        return f"nobody healthy is behind {cluster}"
    what = f"subset {subset} of {host}" if subset else host
    return f"nobody healthy is behind {what}, port {port}"
