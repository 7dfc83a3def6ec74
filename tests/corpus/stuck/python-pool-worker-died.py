# corpus: stuck
# what: a worker of a pool died, and its result is awaited for ever
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: where a process cannot be looked into (PID 1 on some machines), it may have the memory too

import multiprocessing
import os

with multiprocessing.Pool(2) as pool:
    result = pool.apply_async(os._exit, (1,))
    open("up", "w").close()
    result.get()
