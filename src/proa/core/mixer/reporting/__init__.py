"""Reports between the proxy that tells and the handler that takes them: what is remembered on the way."""
