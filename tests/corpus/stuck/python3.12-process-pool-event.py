# corpus: stuck
# what: a task in a process pool waits for a later task, as Python 3.12 waits
# run: env PYENV_VERSION=3.12 python3.12 "$(dirname {file})/python-process-pool-event.py"
# optional: env PYENV_VERSION=3.12 python3.12 --version
# as: root
# unprovable-for-user: whether the memory of its lock has another name is for root to see
