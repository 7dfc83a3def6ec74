# corpus: stuck
# what: a process reads from a pipe whose only writing end is its own
# run: ruby {file}
# needs: ruby

read, _write = IO.pipe
File.write("up", "")
read.read(1)
