# corpus: stuck
# what: the main program is done, but the interpreter waits at its exit for a worker that waits for work
# run: /usr/bin/python3 {file}
# needs: python3

import queue
import threading

threading.Thread(target=queue.SimpleQueue().get).start()
open("up", "w").close()
