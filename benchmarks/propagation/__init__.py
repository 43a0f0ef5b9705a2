"""B9: how long one change takes to reach every proxy, beside a naive server of the same swarm."""
