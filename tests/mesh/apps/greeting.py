"""Speaks first, as mail servers and databases do: a greeting on every connection, then each line back."""

import os
import socketserver

GREETING = b"220 proa greets you\r\n"


class Greeting(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self.wfile.write(GREETING)
        while line := self.rfile.readline():
            self.wfile.write(b"you said " + line)


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


if __name__ == "__main__":
    Server(("127.0.0.1", int(os.environ["PORT"])), Greeting).serve_forever()
