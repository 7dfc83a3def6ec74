# corpus: healthy
# what: the shell of SQLite waits for a database that a program outside has locked
# run: bash {file}
# needs: bash sqlite3
# outside: bash {file} outside

if [[ ${1-} == outside ]]; then
    mkfifo commands
    sqlite3 data <commands >/dev/null &
    exec 3>commands
    # Each look at it below locks it for a moment, too.
    printf '%s\n' '.timeout 60000' 'create table t (a); begin exclusive;' >&3
    until [[ $(sqlite3 data 'select count(*) from t' 2>&1) == *locked* ]]; do sleep 0.1; done
    : >ready
    wait
fi
: >up
exec sqlite3 -cmd '.timeout 1000000' data 'insert into t values (1)'
