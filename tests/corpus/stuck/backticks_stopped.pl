# corpus: stuck
# what: backticks wait for the output of a program that was stopped
# says: stopped
use strict;
$| = 1;
print "begins\n";
my $said = `sh -c 'kill -STOP \$\$'`;
print $said;
