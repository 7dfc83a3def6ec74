# corpus: healthy
# what: a watcher that looks at a directory every two seconds
# run: /usr/bin/python3 {file}
# needs: python3

import os
import time

open("up", "w").close()
while not os.path.exists("wanted"):
    time.sleep(2)
