# corpus: stuck
# what: a finalizer that runs while a lock is held wants the same lock
# run: /usr/bin/python3 {file}
# needs: python3
# says: lock no running thread can release

import threading

lock = threading.Lock()


class Connection:
    def __del__(self):
        open("up", "w").close()
        with lock:
            pass


pool = {"a": Connection()}
with lock:
    del pool["a"]
