#!/usr/bin/env bash
# Make a .deb and a tarball of the programs, for each architecture:
#
#   scripts/package.sh [--out DIR] [ARCH]...            ARCH: x86_64, aarch64 [both]
#   scripts/package.sh [--out DIR] --binaries DIR       of ready-made programs of this machine
#
# The static programs of this machine are those of `just static`. For another architecture they are
# built here, if Rust's target for it can be had; what cannot is left out with a word. The same programs,
# at the same commit, give the same bytes.
set -euo pipefail
umask 022

out=target/package binaries= architectures=()
while (($#)); do
    case $1 in
        --out) out=$(realpath -m "$2"); shift ;;
        --binaries) binaries=$(realpath "$2"); shift ;;
        x86_64 | aarch64) architectures+=("$1") ;;
        *) echo "package.sh: $1? expected --out DIR, --binaries DIR, x86_64 or aarch64" >&2; exit 2 ;;
    esac
    shift
done
cd "$(dirname "$0")/.."
((${#architectures[@]})) || architectures=(x86_64 aarch64)
for tool in dpkg-deb gzip tar; do
    command -v "$tool" >/dev/null || { echo "package.sh: $tool is not installed" >&2; exit 1; }
done

here=$(uname -m)
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
description=$(sed -n 's/^description = "\(.*\)"/\1/p' Cargo.toml)
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH LC_ALL=C
maintainer=$(git log -1 --format='%an <%ae>')

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# ---- what both packages have, made once ----------------------------------------------------------

# The units that `sentinel-keep install` writes, for the registry that is used where none is named.
units() { # DIR PROGRAM: units that start PROGRAM
    local dir=$1 program=$2 unit
    mkdir -p "$dir" "$work/home"
    env -i HOME="$work/home" PATH=/usr/bin "$native/sentinel-keep" install --systemd --dry-run >"$work/units"
    for unit in sentinel-keep.service sentinel-keep.timer; do
        sed -n "/^# $unit\$/,/^# sentinel-keep\.[a-z]*\$/{/^# sentinel-keep\.[a-z]*\$/d;p}" "$work/units" |
            sed -e '/^# sentinel-keep: /d' -e '/^Environment=/d' -e 's/ of [^ ]*process-registry.json//' \
                -e 's|^# Written by.*|# Not enabled by the package. To enable: systemctl --user enable --now sentinel-keep.timer|' \
                -e 's|^ExecStart=.* --registry [^ ]* healthcheck$|ExecStart=/usr/bin/sentinel-keep healthcheck|' \
                -e 's|^Description=.*|&\nDocumentation=man:sentinel-keep(1)|' >"$dir/$unit"
    done
    cp packaging/sentinel-keeper.service "$dir"
    # Nothing of this machine, and all that there is.
    ! grep -n "$work\|--registry" "$dir"/* || return 1
    grep -q '^ExecStart=/usr/bin/sentinel-keep healthcheck$' "$dir/sentinel-keep.service" || return 1
    grep -q '^OnUnitActiveSec=' "$dir/sentinel-keep.timer" || return 1
    sed -i "s|^ExecStart=/usr/bin/sentinel-keep|ExecStart=$program|" "$dir"/*.service
}

# Each shell looks for a file of the command's name: bash and fish one for each, zsh one for all.
completions() { # SHARE
    local bash=$1/bash-completion/completions zsh=$1/zsh/site-functions fish=$1/fish/vendor_completions.d
    mkdir -p "$bash" "$zsh" "$fish"
    "$native/sentinel-keep" completions bash >"$bash/sentinel-keep"
    ln -s sentinel-keep "$bash/sentinel-run"
    ln -s sentinel-keep "$bash/sentinel-watch"
    "$native/sentinel-keep" completions zsh >"$zsh/_sentinel-keep"
    "$native/sentinel-keep" completions fish |
        awk -v dir="$fish" 'BEGIN { of = "sentinel-keep" } /^complete -c / { of = $3 } { print >(dir "/" of ".fish") }'
}

# The notices of the crates that are linked in. Where one may choose, the shortest.
licences() {
    local crate version licence text
    echo "The programs are linked with the standard library of Rust (MIT or Apache-2.0), where they"
    echo "are static with musl (MIT), and with these crates."
    cargo tree --offline --locked -e normal,no-proc-macro --prefix none --no-dedupe -f $'{p}\t{l}' |
        sed 's/ ([^)]*)//' | sort -u | while IFS=$'\t' read -r crate licence; do
        read -r crate version <<<"$crate"
        [[ $crate != sentinel-run ]] || continue
        printf '\n---- %s %s: %s\n' "$crate" "${version#v}" "$licence"
        text=$(ls "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-${version#v}"/{LICENSE,LICENCE,COPYING,UNLICENSE}* 2>/dev/null || true)
        if grep -qi mit <<<"${text//$'\n'/ }"; then text=$(grep -i mit <<<"$text"); fi
        if [[ -n $text ]]; then cat "$(head -n 1 <<<"$text")"; fi
    done
}

# What lies below /usr of the .deb, and below the prefix of the tarball.
stage() { # PREFIX BINARIES
    local prefix=$1 page doc=$1/share/doc/sentinel-run
    mkdir -p "$prefix/bin" "$doc" "$prefix/share/sentinel-run"
    cp "$2"/sentinel-{run,watch,keep} "$prefix/bin"
    for page in man/*.[0-9]; do
        mkdir -p "$prefix/share/man/man${page##*.}"
        cp "$page" "$prefix/share/man/man${page##*.}"
    done
    completions "$prefix/share"
    cp -R skill "$prefix/share/sentinel-run"
    cp README.md CHANGELOG.md "$doc"
    cp -R examples "$doc"
    rm "$doc"/examples/*.rs # they need the library
    cp "$work/licences" "$doc/THIRD-PARTY-LICENCES"
}

# Rights and times that are the same wherever it is made.
level() { # DIR
    chmod -R u=rwX,go=rX "$1"
    find "$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# ---- the two packages ----------------------------------------------------------------------------

tarball() { # ARCH BINARIES LIBC
    local name=sentinel-run-$version-$1-linux-$3 prefix
    prefix=$work/$1/$name
    stage "$prefix" "$2"
    # Wherever the prefix is: systemd wants a whole path, and `env` finds the program.
    units "$prefix/share/systemd/user" "/usr/bin/env PATH=%h/.local/bin:/usr/local/bin:/usr/bin:/bin sentinel-keep"
    cp LICENSE-MIT LICENSE-APACHE "$prefix/share/doc/sentinel-run"
    level "$prefix"
    rm -f "$out/sentinel-run-"*"-$1-linux-$3.tar.gz" # of another version
    tar -C "$work/$1" --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
        --format=gnu -cf - "$name" | gzip -n >"$out/$name.tar.gz"
    echo "$out/$name.tar.gz"
}

deb() { # ARCH BINARIES LIBC
    local root=$work/$1/deb usr=$work/$1/deb/usr doc=$work/$1/deb/usr/share/doc/sentinel-run architecture needs
    needs=$(depends "$2" "$3")
    case $1 in
        x86_64) architecture=amd64 ;;
        aarch64) architecture=arm64 ;;
        *) architecture=$(dpkg --print-architecture) ;;
    esac
    stage "$usr" "$2"
    units "$usr/lib/systemd/user" /usr/bin/sentinel-keep
    mv "$usr/share/zsh/site-functions" "$usr/share/zsh/vendor-completions" # Debian's place for them
    echo "sentinel-run ($version) unstable; urgency=medium

  * What changed for those who use it is in CHANGELOG.md.

 -- $maintainer  $(date -uR -d "@$SOURCE_DATE_EPOCH")" >"$doc/changelog"
    { cat packaging/copyright; licence_texts; } >"$doc/copyright"
    gzip -9n "$usr"/share/man/man*/* "$doc/changelog" "$doc/THIRD-PARTY-LICENCES"
    if [[ $3 == musl ]]; then
        mkdir -p "$usr/share/lintian/overrides"
        echo "# They run on any Linux, and start fastest so.
sentinel-run: statically-linked-binary" >"$usr/share/lintian/overrides/sentinel-run"
    fi
    level "$root"
    mkdir "$root/DEBIAN"
    sed '/^Depends: $/d' >"$root/DEBIAN/control" <<END
Package: sentinel-run
Version: $version
Architecture: $architecture
Maintainer: $maintainer
Installed-Size: $(du -sk --apparent-size "$usr" | cut -f1)
Depends: $needs
Section: utils
Priority: optional
Description: truthful files for long-running commands, and one verdict
 $(fold -s -w 76 <<<"$description." | sed '2,$s/^/ /; s/ *$//')
 .
 sentinel-run wraps one command and keeps a few plain files truthful about it.
 sentinel-watch waits on those files and gives one verdict. sentinel-keep keeps
 commands alive by these verdicts, without a daemon that has to live.
END
    (cd "$root" && find usr -type f -print0 | sort -z | xargs -0 md5sum) >"$root/DEBIAN/md5sums"
    level "$root/DEBIAN"
    rm -f "$out/sentinel-run_"*"_$architecture.deb"
    dpkg-deb --root-owner-group --build "$root" "$out/sentinel-run_${version}_$architecture.deb" >/dev/null
    echo "$out/sentinel-run_${version}_$architecture.deb"
}

# What programs that are not static need: the packages of this machine that have their libraries.
depends() { # BINARIES LIBC
    [[ $2 != musl ]] || return 0
    local files
    files=$(ldd "$1"/sentinel-{run,watch,keep} | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u)
    xargs dpkg -S <<<"$files" | cut -d: -f1 | sort -u | paste -sd, | sed 's/,/, /g'
}

# The licences as machines read them.
licence_texts() {
    printf 'License: Expat\n'
    sed -e 1,4d -e 's/^$/./; s/^/ /' LICENSE-MIT
    printf '\nLicense: Apache-2.0\n On Debian systems the text is in /usr/share/common-licenses/Apache-2.0.\n'
}

package() { # ARCH BINARIES LIBC
    deb "$@"
    tarball "$@"
}

licences >"$work/licences"
if [[ -n $binaries ]]; then
    native=$work/stripped
    mkdir "$native"
    for program in run watch keep; do
        strip -o "$native/sentinel-$program" "$binaries/sentinel-$program"
    done
    libc=gnu
    if ! ldd "$native/sentinel-run" >/dev/null 2>&1; then libc=musl; fi
    package "$here" "$native" "$libc"
    exit
fi

built() { echo "${CARGO_TARGET_DIR:-target}/$1-unknown-linux-musl/release"; }
native=$(built "$here")
[[ -x $native/sentinel-keep ]] || { echo "package.sh: no programs in $native; build them: just static" >&2; exit 1; }
for architecture in "${architectures[@]}"; do
    if [[ $architecture != "$here" ]]; then
        target=$architecture-unknown-linux-musl
        if ! rustup target add "$target"; then
            echo "package.sh: $architecture is left out: Rust's target $target cannot be had" >&2
            continue
        fi
        # Rust brings a linker that knows every architecture, and there is nothing but Rust to link.
        variable=${target^^}
        env "CARGO_TARGET_${variable//-/_}_LINKER=rust-lld" cargo build --release --target "$target" --bins
    fi
    package "$architecture" "$(built "$architecture")" musl
done
