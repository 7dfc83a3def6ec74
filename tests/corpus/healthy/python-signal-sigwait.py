# corpus: healthy
# what: a daemon waits for HUP in sigwait
# run: /usr/bin/python3 {file}
# needs: python3

import signal

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
open("up", "w").close()
signal.sigwait({signal.SIGHUP})
