# corpus: stuck
# what: open2 to a program that answers when its input ends, which is kept open for the next question
# needs: sort
use strict;
use IPC::Open2;
my $pid = open2(my $out, my $in, 'sort');
print $in "b\na\n";
$in->flush;
open my $up, '>', "$ENV{CORPUS_DIR}/up";
my $answer = <$out>;
print $answer;
