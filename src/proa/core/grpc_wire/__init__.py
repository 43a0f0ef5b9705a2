"""The server's side of gRPC over HTTP/2 (RFC 9113) as values: bytes in, events out. No socket, task or clock."""
