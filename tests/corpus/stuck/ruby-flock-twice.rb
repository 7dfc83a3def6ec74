# corpus: stuck
# what: a file is locked through two descriptors
# run: ruby {file}
# needs: ruby
# says: file lock held by

first = File.open("lock", "w")
second = File.open("lock", "w")
first.flock(File::LOCK_EX)
File.write("up", "")
second.flock(File::LOCK_EX)
