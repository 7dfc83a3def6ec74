# corpus: healthy
# what: a loop that does a little each minute
# run: /usr/bin/python3 {file}
# needs: python3

import os
import time

open("up", "w").close()
while True:
    os.listdir(".")
    time.sleep(60)
