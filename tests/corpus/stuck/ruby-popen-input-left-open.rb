# corpus: stuck
# what: a program reads the output of a child that waits for the end of its input
# run: ruby {file}
# needs: ruby

IO.popen("cat", "r+") do |child|
  child.write("a")
  File.write("up", "")
  child.read
end
