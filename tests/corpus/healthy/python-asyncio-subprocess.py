# corpus: healthy
# what: a coroutine waits for a long, quiet command
# run: /usr/bin/python3 {file}
# needs: python3

import asyncio


async def main():
    child = await asyncio.create_subprocess_exec("sleep", "1000", stdout=asyncio.subprocess.PIPE)
    open("up", "w").close()
    await child.communicate()


asyncio.run(main())
