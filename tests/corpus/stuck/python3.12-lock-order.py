# corpus: stuck
# what: two threads take two locks in opposite order, as Python 3.12 waits
# run: env PYENV_VERSION=3.12 python3.12 "$(dirname {file})/python-lock-order.py"
# optional: env PYENV_VERSION=3.12 python3.12 --version
