"""prometheus: metrics that a scraper reads from a page of the control plane's metrics server."""
