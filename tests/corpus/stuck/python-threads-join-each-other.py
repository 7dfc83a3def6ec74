# corpus: stuck
# what: two threads wait for the end of one another
# run: /usr/bin/python3 {file}
# needs: python3

import threading

both_known = threading.Barrier(2)


def wait_for(other):
    both_known.wait()
    open("up", "w").close()
    threads[other].join()


threads = [threading.Thread(target=wait_for, args=(other,)) for other in (1, 0)]
for thread in threads:
    thread.start()
