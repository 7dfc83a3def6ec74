# corpus: stuck
# what: a task in a process pool waits for an event that only a later task sets, in a pool of one
# run: /usr/bin/python3 {file}
# needs: python3
# as: root
# unprovable-for-user: whether the memory of its lock has another name is for root to see

import concurrent.futures
import multiprocessing

event = multiprocessing.Event()


def wait():
    open("up", "w").close()
    event.wait()


with concurrent.futures.ProcessPoolExecutor(1) as pool:
    first = pool.submit(wait)
    second = pool.submit(event.set)
    first.result()
