# corpus: stuck
# what: open2 to a filter: all is written before anything is read, and both pipes are full
# needs: cat
use strict;
use IPC::Open2;
$| = 1;
my $pid = open2(my $out, my $in, 'cat');
print "begins\n";
print $in "line $_\n" for 1 .. 200_000;
close $in;
print while <$out>;
waitpid $pid, 0;
