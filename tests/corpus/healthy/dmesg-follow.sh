# corpus: healthy
# what: a monitor follows the messages of the kernel
# run: bash {file}
# needs: bash dmesg

: >up
exec dmesg --follow-new
