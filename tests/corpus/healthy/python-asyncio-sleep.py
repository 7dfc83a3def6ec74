# corpus: healthy
# what: a coroutine that sleeps
# run: /usr/bin/python3 {file}
# needs: python3

import asyncio


async def main():
    open("up", "w").close()
    await asyncio.sleep(1000)


asyncio.run(main())
