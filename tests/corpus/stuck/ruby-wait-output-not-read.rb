# corpus: stuck
# what: a child fills its output pipe while the program waits for its end
# run: ruby {file}
# needs: ruby

read, write = IO.pipe
child = spawn("yes", out: write)
write.close
File.write("up", "")
Process.wait(child)
read.close
