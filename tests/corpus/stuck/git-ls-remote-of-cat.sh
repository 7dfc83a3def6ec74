# corpus: stuck
# what: git waits for the greeting of a helper that waits for git to speak
# run: bash {file}
# needs: bash git

: >up
exec git -c protocol.ext.allow=always ls-remote 'ext::cat'
