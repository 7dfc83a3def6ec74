# corpus: stuck
# what: a coroutine blocks its loop on a lock whose holder waits for the loop
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import asyncio
import threading

lock = threading.Lock()
held = threading.Event()


def work(loop):
    with lock:
        held.set()
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result()


async def main():
    threading.Thread(target=work, args=(asyncio.get_running_loop(),)).start()
    held.wait()
    open("up", "w").close()
    with lock:
        pass


asyncio.run(main())
