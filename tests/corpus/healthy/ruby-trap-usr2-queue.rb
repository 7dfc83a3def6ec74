# corpus: healthy
# what: the handler of USR2 fills the queue that the main thread takes from
# limit: Ruby has a handler for USR2 of its own, from which the program's cannot be told
# run: ruby {file}
# needs: ruby

work = Queue.new
trap("USR2") { work << 1 }
Thread.new { sleep }
File.write("up", "")
work.pop
