# corpus: healthy
# what: a monitor waits for news of devices
# run: bash {file}
# needs: bash udevadm

: >up
exec udevadm monitor
