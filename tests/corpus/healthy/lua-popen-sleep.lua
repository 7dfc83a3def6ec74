-- corpus: healthy
-- what: a script reads the output of a quiet child
-- run: lua5.4 {file}
-- needs: lua5.4

local child = io.popen("sleep 1000; echo done")
io.open("up", "w"):close()
child:read("a")
