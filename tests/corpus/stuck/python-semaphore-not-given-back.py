# corpus: stuck
# what: a connection pool is exhausted since an error path does not give back
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import threading

free = threading.BoundedSemaphore(2)
for _ in range(2):
    free.acquire()
open("up", "w").close()
free.acquire()
