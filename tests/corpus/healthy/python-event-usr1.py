# corpus: healthy
# what: the main thread waits for an event that the handler of USR1 sets
# run: /usr/bin/python3 {file}
# needs: python3

import signal
import threading

told = threading.Event()
signal.signal(signal.SIGUSR1, lambda signum, frame: told.set())
open("up", "w").close()
told.wait()
