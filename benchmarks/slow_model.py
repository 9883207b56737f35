"""A model server with a fixed answer time and number of slots, to measure the backend in front of it.

It serves Ollama's `/api/chat`: `python -m benchmarks.slow_model PORT SLOTS SECONDS`
"""

import asyncio
import json
import sys

ANSWER = {"message": {"role": "assistant", "content": "So."}, "done": True, "done_reason": "stop"}
BODY = json.dumps(ANSWER | {"prompt_eval_count": 9, "eval_count": 2}).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)


async def serve(port: int, slots: int, seconds: float) -> None:
    free_slots = asyncio.Semaphore(slots)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            try:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
            except (asyncio.IncompleteReadError, ConnectionError):
                break
            fields = [line for line in head.splitlines() if line.startswith("content-length:")]
            await reader.readexactly(int(fields[0].partition(":")[2]) if fields else 0)
            if head.startswith("post"):  # whether it is there, a server answers at once
                async with free_slots:
                    await asyncio.sleep(seconds)
            writer.write(HEAD + BODY)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])))
