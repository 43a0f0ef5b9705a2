"""What node agents ask besides configuration: joining, certificates, and the session that registers workloads."""
