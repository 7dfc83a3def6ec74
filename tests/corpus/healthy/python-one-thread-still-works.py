# corpus: healthy
# what: two threads are locked for ever, but a third has a pause and would go on
# run: /usr/bin/python3 {file}
# needs: python3

import threading
import time

lock = threading.Lock()
lock.acquire()
for _ in range(2):
    threading.Thread(target=lock.acquire).start()
open("up", "w").close()
time.sleep(1000)
