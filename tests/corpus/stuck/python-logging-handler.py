# corpus: stuck
# what: a log handler wants a lock whose holder is about to log
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import logging
import threading

lock = threading.Lock()
emitting = threading.Event()


class Handler(logging.Handler):
    def emit(self, record):
        emitting.set()
        with lock:
            pass


log = logging.getLogger()
log.addHandler(Handler())
with lock:
    threading.Thread(target=log.warning, args=("first",)).start()
    emitting.wait()
    open("up", "w").close()
    log.warning("second")
