"""Answers each line with this workload's name and the line, at 127.0.0.1:$PORT. It speaks only when spoken to."""

import asyncio
import os


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    name = os.environ["PROA_WORKLOAD"].rpartition("/")[2]
    try:
        while line := await reader.readline():
            writer.write(f"{name} {line.decode()}".encode())
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int(os.environ["PORT"]))
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
