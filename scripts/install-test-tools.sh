#!/usr/bin/env bash
# Install what the tests call besides cargo, and try that each tool works.
# Debian and Ubuntu. Quick when everything is there; may be run again.
set -euo pipefail

# program:package
tools=(
    strace:strace
    bindfs:bindfs
    fusermount3:fuse3
    mkfs.xfs:xfsprogs
    xfs_io:xfsprogs
    mkfs.ext4:e2fsprogs
    unshare:util-linux
    losetup:mount
    python3:python3
    tmux:tmux
    systemd-notify:systemd
    systemd-analyze:systemd
    systemctl:systemd
    cron:cron
    crontab:cron
    sqlite3:sqlite3
    psql:postgresql-client
    initdb:postgresql
    nginx:nginx-light
    setpriv:util-linux
    flock:util-linux
    ip:iproute2
    curl:curl
    # The corpus: its languages, and what its cases call.
    cc:gcc
    perl:perl
    tclsh:tcl
    zsh:zsh
    node:nodejs
    javac:default-jdk-headless
    make:make
    gdb:gdb
    inotifywait:inotify-tools
    script:bsdutils
    git:git
    wget:wget
    ssh:openssh-client
    rsync:rsync
    socat:socat
    nc:netcat-openbsd
    redis-cli:redis-tools
    expect:expect
    lua5.4:lua5.4
    ruby:ruby
    php:php-cli
    # What completions and manual pages are read by.
    fish:fish
    mandoc:mandoc
    # Containers without root, and what they are made of.
    podman:podman
    crun:crun
    newuidmap:uidmap
    debootstrap:debootstrap
    # A cluster of Slurm.
    slurmctld:slurmctld
    slurmd:slurmd
    sbatch:slurm-client
    munged:munge
)
# library file:package
libraries=(
    /usr/lib/python3*/ensurepip:python3-venv
    /usr/include/stdlib.h:libc6-dev
    /usr/share/perl/5*/Thread/Queue.pm:perl
)
# Debian keeps the server's programs of PostgreSQL out of the search path, one directory a version.
search_path() { PATH+=:/usr/sbin:/sbin$(printf ':%s' /usr/lib/postgresql/*/bin); }
search_path

# A Linux with cgroup v2 of its own, on the architectures that have it.
case $(dpkg --print-architecture 2>/dev/null) in
    amd64 | i386) tools+=(linux.uml:user-mode-linux) ;;
esac

absent=()
for tool in "${tools[@]}"; do
    command -v "${tool%%:*}" >/dev/null || absent+=("${tool#*:}")
done
for file in "${libraries[@]}"; do
    compgen -G "${file%%:*}" >/dev/null || absent+=("${file#*:}")
done

if ((${#absent[@]})); then
    as_root=()
    if ((EUID != 0)); then
        as_root=(sudo -n)
        sudo -n true || { echo "needs root, or sudo without a password, to install: ${absent[*]}" >&2; exit 1; }
    fi
    echo "installing: ${absent[*]}"
    # The tests start their own servers: what is installed may not come up as a service, neither
    # now nor at the next boot, and a database cluster of the machine is not made.
    policy=/usr/sbin/policy-rc.d
    no_cluster=/etc/postgresql-common/createcluster.d/none-for-tests.conf
    made=("$no_cluster")
    if [[ ! -e $policy ]]; then
        printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
        "${as_root[@]}" chmod 755 "$policy"
        made+=("$policy")
    fi
    "${as_root[@]}" mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | "${as_root[@]}" tee "$no_cluster" >/dev/null
    trap '"${as_root[@]}" rm -f "${made[@]}"' EXIT

    "${as_root[@]}" apt-get -qq update
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 install "${absent[@]}" >/dev/null
    if [[ " ${absent[*]} " == *" nginx-light "* ]]; then
        "${as_root[@]}" update-rc.d nginx disable >/dev/null
    fi
    "${as_root[@]}" rm -f "${made[@]}"
    search_path
fi

# From PyPI, apart from all other Python here: the checkers of Agent Skills, the schemas that Kubernetes
# has published with a program that holds files against them, just, which Debian 12 has not, and
# supervisord, which from Debian would come as a service.
venv=/usr/local/lib/sentinel-test-tools
programs=(agentskills skillsaw kubernetes-validate just supervisord supervisorctl)
if (($(command -v "${programs[@]}" | wc -l) < ${#programs[@]})); then
    as_root=()
    if ((EUID != 0)); then as_root=(sudo -n); fi
    echo "installing: ${programs[*]}"
    "${as_root[@]}" python3 -m venv --clear "$venv"
    "${as_root[@]}" "$venv/bin/pip" install --quiet --disable-pip-version-check \
        skills-ref==0.1.1 skillsaw==0.22.0 kubernetes-validate==1.37.0 rust-just==1.59.0 supervisor==4.2.5 setuptools==80.9.0
    for program in "${programs[@]}"; do
        "${as_root[@]}" ln -sf "$venv/bin/$program" "/usr/local/bin/$program"
    done
fi

# The smallest Debian there is, as an archive: what containers are made of, and where packages are
# installed and removed.
debian=/var/cache/sentinel-test-tools/debian.tar
if [[ ! -e $debian ]]; then
    as_root=()
    if ((EUID != 0)); then as_root=(sudo -n); fi
    echo "installing: $debian"
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
    root=$(mktemp -d)
    "${as_root[@]}" debootstrap --variant=minbase "$suite" "$root/debian" >"$root/said" || {
        tail -n 5 "$root/said" >&2
        exit 1
    }
    "${as_root[@]}" mkdir -p "${debian%/*}"
    # Without what it was made from, nor any device, which only root could unpack.
    "${as_root[@]}" tar -C "$root/debian" --exclude='./dev/*' --exclude='./var/cache/apt/archives/*.deb' \
        --exclude='./var/lib/apt/lists/*' -cf "$debian.new" .
    "${as_root[@]}" mv "$debian.new" "$debian"
    "${as_root[@]}" rm -rf "$root"
fi

# Of Prometheus the checker of its formats alone: no server, and nothing that comes up as a service.
if ! command -v promtool >/dev/null; then
    as_root=()
    if ((EUID != 0)); then as_root=(sudo -n); fi
    echo "installing: promtool"
    package=$(mktemp -d)
    (
        cd "$package"
        apt-get -qq download prometheus || { "${as_root[@]}" apt-get -qq update && apt-get -qq download prometheus; }
        dpkg-deb --fsys-tarfile prometheus_*.deb | tar -xO ./usr/bin/promtool >promtool
        "${as_root[@]}" install -m 755 promtool /usr/local/bin/promtool
    )
    rm -rf "$package"
fi

scratch=$(mktemp -d)
clean_up() {
    if mountpoint -q "$scratch/bound"; then fusermount3 -u "$scratch/bound"; fi
    rm -rf "$scratch"
}
trap clean_up EXIT
mkdir "$scratch/real" "$scratch/bound" "$scratch/server"
truncate -s 320M "$scratch/image"

failed=0
try() { # NAME COMMAND...
    local name=$1
    shift
    if "$@" >"$scratch/said" 2>&1 </dev/null; then
        echo "$name: works"
    else
        echo "$name: does not work here: $(tail -n 1 "$scratch/said")" >&2
        failed=1
    fi
}

try strace strace -o /dev/null true
try "bindfs, fuse3" bindfs --no-allow-other "$scratch/real" "$scratch/bound"
try xfsprogs mkfs.xfs -q -f "$scratch/image"
try e2fsprogs mkfs.ext4 -q -F "$scratch/image"
try unshare unshare --user --map-root-user --pid --fork true
try python3 python3 -c 'import json, socket, ctypes'
try tmux tmux -V
if command -v linux.uml >/dev/null; then
    try user-mode-linux linux.uml --version
fi
try "rsync, sqlite3, redis-cli" sh -c 'rsync --version && sqlite3 --version && redis-cli --version'
try "socat, nc" sh -c 'socat -V && nc -h'
try "expect, zsh, lua5.4" sh -c 'expect -v && zsh -fc : && lua5.4 -v'
try "ruby, php" sh -c 'ruby -e 1 && php -r "exit(0);"'
# Outside a service it has nobody to notify and says so; that it starts is enough.
try systemd-notify systemd-notify --version
try "systemctl, systemd-analyze" sh -c 'systemctl --version && systemd-analyze --version'
try sqlite3 sqlite3 :memory: 'select 1'
try psql psql --version
# The server refuses to work as root.
not_root=()
if ((EUID == 0)); then
    not_root=(setpriv --reuid=nobody --regid=nogroup --clear-groups)
    chown nobody "$scratch/server"
    chmod 711 "$scratch"
fi
try "postgresql, setpriv" "${not_root[@]}" "$(command -v initdb)" -D "$scratch/server" -A trust -N
mkdir -p "$scratch/web"
cat >"$scratch/web/conf" <<END
pid $scratch/web/pid;
events {}
http { client_body_temp_path $scratch/web/body; }
END
try curl curl --version
try nginx nginx -t -p "$scratch/web/" -c conf -e stderr
printf '#include <pthread.h>\nint main(void) { return 0; }\n' >"$scratch/c.c"
try cc cc -pthread -o "$scratch/c" "$scratch/c.c" -lrt
try "cc, 32 bits" cc -m32 -c -ffreestanding -nostdlib -o "$scratch/c32" -x c /dev/null
try perl perl -Mthreads -MThread::Queue -e 1
try tclsh tclsh /dev/null
try zsh zsh -f -c :
try fish fish --no-config -c true
try promtool promtool --version
try "agentskills, skillsaw" sh -c 'agentskills --help && skillsaw --version'
try kubernetes-validate kubernetes-validate --version
try just just --version
try supervisord sh -c 'supervisord --version && supervisorctl --help'
try mandoc sh -c 'echo ".Dd January 1, 2026
.Dt X 1
.Os" | mandoc -T utf8'
try "podman, crun, newuidmap" sh -c 'podman --version && crun --version && command -v newuidmap'
try "slurmctld, slurmd, munged" sh -c 'slurmctld -V && slurmd -V && munged -V && command -v sbatch'
try node node -e 0
try javac javac -version
try make make --version
try gdb gdb -nx -batch -ex quit
try inotifywait sh -c 'inotifywait -q -t 1 -e create "$1"; [ $? = 2 ]' sh "$scratch/real" # 2: nothing within 1 s
try script script -q -c true "$scratch/typescript"

exit "$failed"
