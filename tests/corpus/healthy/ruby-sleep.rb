# corpus: healthy
# what: a script that sleeps
# run: ruby {file}
# needs: ruby

File.write("up", "")
sleep 1000
