# corpus: stuck
# what: a coroutine awaits the end of a child that waits for the end of its input
# run: /usr/bin/python3 {file}
# needs: python3

import asyncio


async def main():
    child = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE)
    open("up", "w").close()
    await child.wait()


asyncio.run(main())
