# corpus: healthy
# what: a database that a program outside has locked, with a long busy time
# run: /usr/bin/python3 {file}
# needs: python3
# outside: /usr/bin/python3 {file} outside

import signal
import sqlite3
import sys

data = sqlite3.connect("data", timeout=1000, isolation_level=None)
if sys.argv[1:] == ["outside"]:
    data.execute("create table t (a)")
    data.execute("begin exclusive")
    open("ready", "w").close()
    signal.pause()

open("up", "w").close()
data.execute("insert into t values (1)")
