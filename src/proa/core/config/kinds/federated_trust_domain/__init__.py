"""FederatedTrustDomain: its schema and the rules of its meaning."""
