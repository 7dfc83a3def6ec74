# corpus: stuck
# what: a worker thread waits on a queue whose producer died, as Python 3.12 waits
# run: env PYENV_VERSION=3.12 python3.12 "$(dirname {file})/python-queue-without-producer.py"
# optional: env PYENV_VERSION=3.12 python3.12 --version
