"""stdio: log entries and metrics as lines on the control plane's output, or in files of its host."""

from proa.adapters.policy.stdio.adapter import StdioAdapter

__all__ = ["StdioAdapter"]
