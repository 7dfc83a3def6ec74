# corpus: stuck
# what: two threads take two locks in opposite order, as Python 3.8 waits
# run: env PYENV_VERSION=3.8 python3.8 "$(dirname {file})/python-lock-order.py"
# optional: env PYENV_VERSION=3.8 python3.8 --version
