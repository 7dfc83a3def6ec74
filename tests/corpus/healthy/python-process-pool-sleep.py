# corpus: healthy
# what: a process pool whose task sleeps
# run: /usr/bin/python3 {file}
# needs: python3

import concurrent.futures
import time

with concurrent.futures.ProcessPoolExecutor(1) as pool:
    slow = pool.submit(time.sleep, 1000)
    open("up", "w").close()
    slow.result()
