# corpus: stuck
# what: two open file descriptions of one process want the same range
# run: /usr/bin/python3 {file}
# needs: python3
# says: file lock held by

import fcntl
import os
import struct

F_OFD_SETLKW = 38
whole_file = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
first, second = open("lock", "w"), open("lock", "w")
fcntl.fcntl(first, F_OFD_SETLKW, whole_file)
open("up", "w").close()
fcntl.fcntl(second, F_OFD_SETLKW, whole_file)
