# corpus: healthy
# what: a script sleeps without a child
# run: zsh -f {file}
# needs: zsh

zmodload zsh/zselect
: >up
zselect -t 100000
