# corpus: stuck
# what: ssh waits for a proxy command that is stopped
# run: bash {file}
# needs: bash ssh
# says: stopped

: >up
exec ssh -F none -o BatchMode=yes -o 'ProxyCommand=sh -c "kill -STOP $$"' nobody@there
