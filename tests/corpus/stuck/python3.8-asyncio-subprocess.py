# corpus: stuck
# what: a coroutine awaits a child that waits for the end of its input, as Python 3.8 waits
# run: env PYENV_VERSION=3.8 python3.8 "$(dirname {file})/python-asyncio-subprocess.py"
# optional: env PYENV_VERSION=3.8 python3.8 --version
