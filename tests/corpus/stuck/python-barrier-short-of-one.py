# corpus: stuck
# what: three are to meet at a barrier, and one of them has ended
# run: /usr/bin/python3 {file}
# needs: python3

import threading

barrier = threading.Barrier(3)
other = threading.Thread(target=barrier.wait)
other.start()
open("up", "w").close()
barrier.wait()
