# corpus: healthy
# what: a lock on a FUSE file system is held by whom only its daemon knows
# outside: bash -c 'mkdir real mnt; bindfs -f --no-allow-other --enable-lock-forwarding --multithreaded real mnt & until mountpoint -q mnt; do sleep 0.1; done; exec 9>real/L; flock 9; touch ready; trap "exec 9>&-; fusermount3 -u mnt; exit" TERM; wait'
# needs: bindfs flock fusermount3 mountpoint
exec 8>mnt/L
touch up
flock 8
