# corpus: healthy
# what: the main thread waits for an event that the handler of CONT sets
# run: /usr/bin/python3 {file}
# needs: python3

import signal
import threading

told = threading.Event()
signal.signal(signal.SIGCONT, lambda signum, frame: told.set())
open("up", "w").close()
told.wait()
