# corpus: healthy
# what: a Perl script sleeps by select
open my $up, '>', 'up';
select undef, undef, undef, 3600;
