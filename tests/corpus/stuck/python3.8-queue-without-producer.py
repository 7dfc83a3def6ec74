# corpus: stuck
# what: a worker thread waits on a queue whose producer died, as Python 3.8 waits
# run: env PYENV_VERSION=3.8 python3.8 "$(dirname {file})/python-queue-without-producer.py"
# optional: env PYENV_VERSION=3.8 python3.8 --version
