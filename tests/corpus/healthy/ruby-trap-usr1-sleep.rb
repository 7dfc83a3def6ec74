# corpus: healthy
# what: a program sleeps for ever, until the handler of USR1 ends it
# run: ruby {file}
# needs: ruby

trap("USR1") { exit }
File.write("up", "")
sleep
