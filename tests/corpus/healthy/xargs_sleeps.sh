# corpus: healthy
# what: xargs runs two programs at a time, which take their time
# needs: xargs
touch up
printf '3600\n3601\n3602\n' | xargs -n 1 -P 2 sleep
