# corpus: healthy
# what: the main thread waits for the result of a task that sleeps
# run: /usr/bin/python3 {file}
# needs: python3

import concurrent.futures
import time

with concurrent.futures.ThreadPoolExecutor(2) as pool:
    slow = pool.submit(time.sleep, 1000)
    open("up", "w").close()
    slow.result()
