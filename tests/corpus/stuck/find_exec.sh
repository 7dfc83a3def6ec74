# corpus: stuck
# what: find runs a program that wants the lock under which find itself was started
# needs: find flock
touch up
flock L find . -maxdepth 0 -exec flock L true ';'
