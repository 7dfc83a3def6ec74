# corpus: stuck
# what: a task in a process pool waits for a later task, as Python 3.12 waits
# run: env PYENV_VERSION=3.12 python3.12 "$(dirname {file})/python-process-pool-event.py"
# needs: python3.12
# unprovable: where a process cannot be looked into (PID 1 on some machines), it may have the memory too
