# corpus: healthy
# what: a program waits for any signal
# run: /usr/bin/python3 {file}
# needs: python3

import signal

open("up", "w").close()
signal.pause()
