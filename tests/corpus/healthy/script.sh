# corpus: healthy
# what: script(1) records a terminal session in which a program sleeps
# needs: script
script -q -c 'touch up; sleep 3600' typescript
