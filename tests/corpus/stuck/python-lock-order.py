# corpus: stuck
# what: two threads take two locks in opposite order
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import threading

one, two = threading.Lock(), threading.Lock()
both_hold = threading.Barrier(2)


def work(first, second):
    with first:
        both_hold.wait()
        open("up", "w").close()
        with second:
            pass


threads = [threading.Thread(target=work, args=order) for order in ((one, two), (two, one))]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
