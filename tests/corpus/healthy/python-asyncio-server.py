# corpus: healthy
# what: an asyncio server that nobody talks to
# run: /usr/bin/python3 {file}
# needs: python3

import asyncio


async def main():
    server = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    open("up", "w").close()
    await server.serve_forever()


asyncio.run(main())
