# corpus: stuck
# what: a server selects over the pipes of its workers, which wait for orders from the server
use strict;
use IO::Handle;
use IO::Select;
my ($select, @orders) = IO::Select->new;
for (1 .. 3) {
    pipe my $order_out, my $order_in;
    pipe my $answer_out, my $answer_in;
    if (!fork) { close $order_in; print $answer_in $_ while <$order_out>; exit }
    close $answer_in;
    $select->add($answer_out);
    push @orders, $order_in;
}
open my $up, '>', "$ENV{CORPUS_DIR}/up";
my @ready = $select->can_read;
