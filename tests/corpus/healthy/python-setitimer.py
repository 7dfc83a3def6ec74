# corpus: healthy
# what: a test with a time limit by setitimer, as pytest-timeout does it
# run: /usr/bin/python3 {file}
# needs: python3

import signal
import threading


def late(signum, frame):
    raise TimeoutError


signal.signal(signal.SIGALRM, late)
signal.setitimer(signal.ITIMER_REAL, 1000)
open("up", "w").close()
threading.Event().wait()
