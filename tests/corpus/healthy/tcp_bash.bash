# corpus: healthy
# what: Bash reads from a TCP connection to a server outside
# outside: perl -MIO::Socket::INET -e '$s = IO::Socket::INET->new(Listen => 5, LocalAddr => "127.0.0.1") or die; open F, ">port"; print F $s->sockport; close F; open F, ">ready"; 1 while push @c, $s->accept'
# needs: perl
exec 3<>"/dev/tcp/127.0.0.1/$(cat port)"
touch up
read -r line <&3
