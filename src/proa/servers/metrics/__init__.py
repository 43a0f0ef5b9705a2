"""`/ready` and `/metrics` of the control plane (15014): for probes and Prometheus, without authentication."""
