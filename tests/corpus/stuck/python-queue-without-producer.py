# corpus: stuck
# what: a worker thread waits on a queue whose producer died of an exception, and the main thread joins it
# run: /usr/bin/python3 {file}
# needs: python3

import queue
import threading

tasks = queue.Queue()


def produce():
    raise ValueError("bad input")


consumer = threading.Thread(target=tasks.get)
consumer.start()
producer = threading.Thread(target=produce)
producer.start()
producer.join()
open("up", "w").close()
consumer.join()
