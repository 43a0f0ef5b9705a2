"""The composition root of `proa node`: makes each part, gives it what it needs, and runs until told to stop."""

from proa.node.options import NodeOptions


async def run(options: NodeOptions) -> None:
    """Runs until SIGTERM or SIGINT, then drains and removes every workload. Raises NodeUnusable."""
    raise NotImplementedError
