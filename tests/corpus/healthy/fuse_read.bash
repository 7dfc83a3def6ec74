# corpus: healthy
# what: a file on a FUSE file system is read, and its daemon does not answer (here: it is stopped)
# outside: bash -c 'mkdir real mnt; echo data >real/file; bindfs -f --no-allow-other real mnt & pid=$!; until mountpoint -q mnt; do sleep 0.1; done; kill -STOP $pid; touch ready; trap "kill -CONT $pid; fusermount3 -u mnt; exit" TERM; sleep 3600 & wait'
# needs: bindfs fusermount3 mountpoint cat
touch up
cat mnt/file
