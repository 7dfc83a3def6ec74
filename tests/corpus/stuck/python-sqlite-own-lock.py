# corpus: stuck
# what: a program writes to a database that its own second connection has locked
# run: /usr/bin/python3 {file}
# needs: python3
# unprovable: SQLite polls for the lock, with a sleep in between

import sqlite3

first = sqlite3.connect("data", isolation_level=None)
first.execute("create table t (a)")
first.execute("begin exclusive")
second = sqlite3.connect("data", timeout=1_000_000, isolation_level=None)
open("up", "w").close()
second.execute("insert into t values (1)")
