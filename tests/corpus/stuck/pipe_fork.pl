# corpus: stuck
# what: the parent reads to the end of a pipe to which it still has the write end
use strict;
pipe my $reader, my $writer;
my $pid = fork;
if (!$pid) { close $reader; print $writer "result\n"; exit }
open my $up, '>', "$ENV{CORPUS_DIR}/up";
print while <$reader>;
waitpid $pid, 0;
