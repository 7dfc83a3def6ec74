-- corpus: stuck
-- what: a script reads the output of a child that is stopped
-- run: lua5.4 {file}
-- needs: lua5.4
-- says: stopped

local child = io.popen("kill -STOP $$; echo done")
io.open("up", "w"):close()
child:read("a")
