# corpus: stuck
# what: a worker thread waits on a queue whose producer died, as Python 3.13 waits
# run: env PYENV_VERSION=3.13 python3.13 "$(dirname {file})/python-queue-without-producer.py"
# optional: env PYENV_VERSION=3.13 python3.13 --version
