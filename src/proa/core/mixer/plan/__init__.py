"""The dispatch plan: which rules a request meets, what is asked of which handler, and what the answers come to."""
