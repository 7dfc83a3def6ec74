# corpus: stuck
# what: both ends of a pipeline want the same lock, and the reader got it
# needs: flock cat
touch up
{ until [ -e has ]; do sleep 0.1; done; flock L echo data; } | flock L sh -c 'touch has; cat'
