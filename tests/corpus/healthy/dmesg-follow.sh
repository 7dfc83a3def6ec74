# corpus: healthy
# what: a monitor follows the messages of the kernel
# run: bash {file}
# needs: bash dmesg
# as: root
# unprovable-for-user: the log of the kernel is for root to read

: >up
exec dmesg --follow-new
