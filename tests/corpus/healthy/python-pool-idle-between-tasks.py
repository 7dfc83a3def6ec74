# corpus: healthy
# what: a pool whose workers wait for work while the main thread sleeps
# run: /usr/bin/python3 {file}
# needs: python3

import multiprocessing
import time

with multiprocessing.Pool(2) as pool:
    pool.map(abs, range(10))
    open("up", "w").close()
    time.sleep(1000)
