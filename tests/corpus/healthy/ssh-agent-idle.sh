# corpus: healthy
# what: an ssh agent that nobody asks
# run: bash {file}
# needs: bash ssh-agent

: >up
exec ssh-agent -D -a "$CORPUS_DIR/agent"
