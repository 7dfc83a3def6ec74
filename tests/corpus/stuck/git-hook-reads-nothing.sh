# corpus: stuck
# what: git waits for a hook that reads from a pipe of its own
# run: bash {file}
# needs: bash git
# says: a pipe whose writers are all in this job

git init -q .
printf '#!/bin/bash\ncoproc cat\nread -r line <&"${COPROC[0]}"\n' >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit
: >up
exec git -c user.name=a -c user.email=a@b commit --allow-empty -m a
