# corpus: healthy
# what: an alarm is to break a wait for a lock
# run: /usr/bin/python3 {file}
# needs: python3

import signal
import threading

signal.signal(signal.SIGALRM, lambda signum, frame: print("late"))
signal.alarm(1000)
lock = threading.Lock()
lock.acquire()
open("up", "w").close()
lock.acquire()
