# corpus: healthy
# what: the main thread waits for an event that a timer thread sets later
# run: /usr/bin/python3 {file}
# needs: python3

import threading

done = threading.Event()
threading.Timer(1000, done.set).start()
open("up", "w").close()
done.wait()
