# corpus: healthy
# what: the main thread joins a thread that sleeps
# run: ruby {file}
# needs: ruby

worker = Thread.new { sleep 1000 }
File.write("up", "")
worker.join
