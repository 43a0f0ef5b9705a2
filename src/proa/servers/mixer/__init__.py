"""Where proxies ask Mixer: Envoy's own protocols, over the mesh's mTLS, with the workload's certificate."""
