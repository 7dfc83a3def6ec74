# corpus: healthy
# what: a program waits for the end of a process outside, by its pidfd
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import os
import select
import signal
import sys

if sys.argv[1:] == ["outside"]:
    with open("pid", "w") as file:
        file.write(str(os.getpid()))
    open("ready", "w").close()
    signal.pause()

other = os.pidfd_open(int(open("pid").read()))
open("up", "w").close()
select.select([other], [], [])
