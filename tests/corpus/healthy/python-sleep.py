# corpus: healthy
# what: a script that sleeps
# run: /usr/bin/python3 {file}
# needs: python3
# says: waits for the clock

import time

open("up", "w").close()
time.sleep(1000)
