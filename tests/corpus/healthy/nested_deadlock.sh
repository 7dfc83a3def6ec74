# corpus: healthy
# what: the job below is deadlocked, but its own wrapper will end it when its own time has come
# run: sh {file}
# outside: sh {file} outside
# needs: flock
# A job below is none of the outer one's: the companion ends it.
if [ "$1" = outside ]; then
    trap 'kill "$(cat inner/inner.pid)"; exit' TERM
    touch ready
    sleep 3600 &
    wait
fi
"$SENTINEL_RUN" --dir inner --quiet --timeout 1h inner -- sh -c 'touch "$CORPUS_DIR/up"; flock L flock L true'
