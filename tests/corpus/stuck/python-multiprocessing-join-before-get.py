# corpus: stuck
# what: a process that put much on a queue is joined before the queue is read (the warning in the manual)
# run: /usr/bin/python3 {file}
# needs: python3

import multiprocessing


def work(results):
    results.put("x" * 1_000_000)


results = multiprocessing.Queue()
worker = multiprocessing.Process(target=work, args=(results,))
worker.start()
open("up", "w").close()
worker.join()
print(len(results.get()))
