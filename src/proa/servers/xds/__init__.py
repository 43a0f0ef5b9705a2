"""The xDS API for node agents: one delta ADS stream per workload, over the node's one mTLS connection."""
