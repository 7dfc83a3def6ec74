# corpus: stuck
# what: the main thread waits for an event that nobody sets
# run: /usr/bin/python3 {file}
# needs: python3

import threading

open("up", "w").close()
threading.Event().wait()
