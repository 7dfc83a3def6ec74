# corpus: healthy
# what: a program sleeps for ever, until the handler of USR1 ends it
# limit: Ruby has a handler for USR1 of its own, from which the program's cannot be told
# run: ruby {file}
# needs: ruby

trap("USR1") { exit }
File.write("up", "")
sleep
