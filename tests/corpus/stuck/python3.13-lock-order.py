# corpus: stuck
# what: two threads take two locks in opposite order, as Python 3.13 waits
# run: env PYENV_VERSION=3.13 python3.13 "$(dirname {file})/python-lock-order.py"
# optional: env PYENV_VERSION=3.13 python3.13 --version
