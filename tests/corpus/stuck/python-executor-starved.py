# corpus: stuck
# what: a task in a thread pool of one waits for a task that it put into the same pool
# run: /usr/bin/python3 {file}
# needs: python3

import concurrent.futures

pool = concurrent.futures.ThreadPoolExecutor(1)


def outer():
    inner = pool.submit(int)
    open("up", "w").close()
    return inner.result()


pool.submit(outer).result()
