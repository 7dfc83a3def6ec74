# corpus: healthy
# what: the handler of USR1 writes to the pipe that the main loop reads, as Unicorn does
# limit: Ruby has a handler for USR1 of its own, from which the program's cannot be told
# run: ruby {file}
# needs: ruby

read, write = IO.pipe
trap("USR1") { write.write(".") }
File.write("up", "")
read.read(1)
