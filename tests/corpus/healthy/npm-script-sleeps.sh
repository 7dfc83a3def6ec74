# corpus: healthy
# what: a package script, run by npm, sleeps
# run: bash {file}
# needs: bash npm

echo '{"scripts": {"build": "sleep 1000"}}' >package.json
: >up
exec npm run --silent --no-update-notifier build
