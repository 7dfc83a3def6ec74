# corpus: stuck
# what: a condition is notified before anybody waits for it
# run: /usr/bin/python3 {file}
# needs: python3

import threading

ready = threading.Condition()


def tell():
    with ready:
        ready.notify_all()


teller = threading.Thread(target=tell)
teller.start()
teller.join()
with ready:
    open("up", "w").close()
    ready.wait()
