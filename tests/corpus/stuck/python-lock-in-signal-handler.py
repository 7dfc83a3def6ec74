# corpus: stuck
# what: the handler of a signal wants a lock that the interrupted code holds
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import os
import signal
import threading

lock = threading.Lock()


def reload(signum, frame):
    open("up", "w").close()
    with lock:
        pass


signal.signal(signal.SIGHUP, reload)
with lock:
    os.kill(os.getpid(), signal.SIGHUP)
