# corpus: healthy
# what: a read from an empty pipe with a time limit
# run: ruby {file}
# needs: ruby

require "timeout"

read, _write = IO.pipe
File.write("up", "")
Timeout.timeout(1000) { read.read(1) }
