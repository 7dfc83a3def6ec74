# corpus: healthy
# what: a lock that is never free, tried for a limited time
# run: /usr/bin/python3 {file}
# needs: python3

import threading

lock = threading.Lock()
lock.acquire()
open("up", "w").close()
lock.acquire(timeout=1000)
