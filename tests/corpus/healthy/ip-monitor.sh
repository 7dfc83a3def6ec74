# corpus: healthy
# what: a monitor waits for news of the network
# run: bash {file}
# needs: bash ip

: >up
exec ip monitor
