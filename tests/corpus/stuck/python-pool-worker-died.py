# corpus: stuck
# what: a worker of a pool died, and its result is awaited for ever
# run: /usr/bin/python3 {file}
# needs: python3
# as: root
# unprovable-for-user: whether the memory of its lock has another name is for root to see

import multiprocessing
import os

with multiprocessing.Pool(2) as pool:
    result = pool.apply_async(os._exit, (1,))
    open("up", "w").close()
    result.get()
