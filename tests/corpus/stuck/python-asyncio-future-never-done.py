# corpus: stuck
# what: a coroutine awaits a future that nobody sets
# run: /usr/bin/python3 {file}
# needs: python3

import asyncio


async def main():
    open("up", "w").close()
    await asyncio.get_running_loop().create_future()


asyncio.run(main())
