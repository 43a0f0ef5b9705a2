"""Where the bundles of other trust domains come from, and where the last good ones are kept."""
