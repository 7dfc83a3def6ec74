# corpus: stuck
# what: git waits for an editor that is stopped
# run: bash {file}
# needs: bash git
# says: stopped

git init -q .
: >up
GIT_EDITOR='sh -c "kill -STOP \$\$"' exec git -c user.name=a -c user.email=a@b commit --allow-empty
