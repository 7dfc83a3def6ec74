# corpus: healthy
# what: a coroutine waits for the answer of a server that says nothing
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import asyncio
import socket
import sys

if sys.argv[1:] == ["outside"]:
    server = socket.create_server(("127.0.0.1", 0))
    with open("port", "w") as file:
        file.write(str(server.getsockname()[1]))
    open("ready", "w").close()
    held = []
    while True:
        held.append(server.accept())

port = int(open("port").read())


async def main():
    reader, _ = await asyncio.open_connection("127.0.0.1", port)
    open("up", "w").close()
    await reader.read(1)


asyncio.run(main())
