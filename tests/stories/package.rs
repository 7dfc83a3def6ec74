//! The packages: installed, used and removed again in a small Debian, which is then as it was before;
//! and unpacked where there is nothing but a home.
//!
//! They are made of the programs under test. Those of `just package` are tried in the same way where the
//! variable `SENTINEL_PACKAGES` names the directory that they are in.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::scene::{self, Done, Mount, Scene, can, has, is_root, skip};

/// A small Debian; `scripts/install-test-tools.sh` makes it.
const DEBIAN: &str = "/var/cache/sentinel-test-tools/debian.tar";

/// Runs the script `$3` in the root `$1`, where the packages `$2` are in `/mnt`, as the first process of a
/// PID namespace of its own.
const INSIDE: &str = r#"
mount --bind /dev "$1/dev"
mount --bind "$2" "$1/mnt"
cd /
exec chroot "$1" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp/home LC_ALL=C sh -euc "$3"
"#;

/// Uses what the package brings, but for what other stories use already.
const INSTALLED: &str = r#"
dpkg --verify sentinel-run
for page in man1/sentinel-run.1 man1/sentinel-watch.1 man1/sentinel-keep.1 man5/sentinel.5 man7/sentinel.7; do
    gzip -t "/usr/share/man/$page.gz"
done
for program in sentinel-run sentinel-watch; do
    sentinel-keep completions bash | cmp - "/usr/share/bash-completion/completions/$program"
done
sentinel-keep completions zsh | cmp - /usr/share/zsh/vendor-completions/_sentinel-keep
cat /usr/share/fish/vendor_completions.d/sentinel-*.fish | sort >/tmp/fish
sentinel-keep completions fish | sort | cmp - /tmp/fish
rm /tmp/fish
test -x /usr/share/sentinel-run/skill/hooks/sentinel-hook
# Nobody has asked for a keeper.
if find /etc /var/lib/systemd -name 'sentinel*' | grep .; then exit 1; fi
"#;

/// Uses the three programs on `PATH`, and ends what it starts.
const USED: &str = r#"
sentinel-run --version
sentinel-watch --version
sentinel-keep --version
code=0
sentinel-run job -- sh -c 'echo it is broken; exit 3' || code=$?
test $code = 3
code=0
sentinel-watch job || code=$?
test $code = 1
sentinel-run --detach sleeper -- sleep 1000
sentinel-watch --probe sleeper
sentinel-watch --stop sleeper || test $? = 1
sentinel-keep register kept -- sleep 1000
sentinel-keep start kept
sentinel-keep status
sentinel-keep stop kept
rm -rf /tmp/home/.local/state
for stat in /proc/[0-9]*/stat; do
    read -r pid name state rest <"$stat" || continue
    test "$pid" = 1 || test "$state" = Z || { echo "left behind: $pid $name"; exit 1; }
done
"#;

/// What the programs left is the user's, and not the package's to remove.
const LEFT: &str = "dpkg -P sentinel-run 2>/dev/null; rm -r /tmp/home";

/// What is there once the tarball is unpacked.
const UNPACKED: &str = r#"
test "$(ls -A ~/.local)" = "$(printf 'bin\nshare')"
PATH=~/.local/bin:$PATH
"#;

/// What `dpkg` writes down, and is different at the end.
const DPKG: [&str; 6] = [
    "./var/lib/dpkg/status",
    "./var/lib/dpkg/status-old",
    "./var/lib/dpkg/triggers/Lock",
    "./var/lib/dpkg/triggers/Unincorp",
    "./var/lib/dpkg/lock",
    "./var/log/dpkg.log",
];

/// A machine to install on, and what is to be installed.
struct Machine<'a> {
    scene: &'a Scene,
    root: PathBuf,
    packages: PathBuf,
    /// It is in memory: unpacked on a disk it takes ten times as long.
    _memory: Mount,
}

impl<'a> Machine<'a> {
    fn new(scene: &'a Scene) -> Self {
        let packages = std::env::var_os("SENTINEL_PACKAGES").map_or_else(
            || {
                let made = scene.path("packages");
                let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/package.sh");
                let programs = Path::new(scene::RUN).parent().unwrap();
                let package = scene.program(script).arg("--out").arg(&made);
                // Nobody keeps it: what takes time is only its size.
                let package = package.env("DPKG_DEB_COMPRESSOR_TYPE", "none");
                package.arg("--binaries").arg(programs).finish().exits(0);
                made
            },
            PathBuf::from,
        );
        let root = scene.path("debian");
        let memory = Mount::at(&root, "mount -t tmpfs -o mode=755 none").expect("a tmpfs");
        scene.command("tar -C debian -xf").arg(DEBIAN).finish().exits(0);
        Self { scene, root, packages, _memory: memory }
    }

    /// Does all this in it.
    #[track_caller]
    fn does(&self, steps: &[&str]) -> Done {
        let proc = format!("--mount-proc={}", self.root.join("proc").display());
        let corner = self.scene.command("unshare --mount --pid --fork --kill-child").arg(proc);
        let inside = corner.args(["sh", "-euc", INSIDE, "sh"]).arg(&self.root).arg(&self.packages);
        inside.arg(steps.concat()).finish().exits(0)
    }

    /// All that is on it but what `dpkg` writes down: names, rights, owners, sizes, and where links lead.
    fn files(&self) -> BTreeSet<String> {
        let form = "%p %M %U:%G %s %l\n";
        let find = self.scene.command("find .").cwd(&self.root);
        let found = find.args(["-type", "d", "-printf", "%p %M %U:%G\n", "-o", "-printf", form]);
        let found = found.finish().exits(0).stdout;
        let own = |line: &&str| !DPKG.contains(&line.split(' ').next().unwrap());
        found.lines().filter(own).map(str::to_owned).collect()
    }
}

/// The command of the README that begins like this, for packages that are in `/mnt`.
#[track_caller]
fn readme(begin: &str) -> String {
    let text = include_str!("../../README.md");
    let command = text.lines().find(|line| line.starts_with(begin)).expect(begin);
    assert!(command.contains(" target/package/"), "{command}");
    format!("{}\n", command.replace(" target/package/", " /mnt/"))
}

#[test]
fn what_is_installed_works_and_is_removed_without_a_trace() {
    let story = "what is installed works and is removed without a trace";
    let tools = ["dpkg", "dpkg-deb", "strip", "git", "fish", "systemd-analyze", "mandoc"];
    if let Some(tool) = tools.into_iter().find(|tool| !has(tool)) {
        return skip(story, &format!("no {tool}"));
    }
    if std::env::consts::ARCH != "x86_64" {
        return skip(story, "the README names the packages of x86_64");
    }
    if !Path::new(DEBIAN).exists() {
        return skip(story, &format!("no {DEBIAN}"));
    }
    if !is_root() || !can("unshare --mount --pid --fork --mount-proc true") {
        return skip(story, "needs root, and namespaces");
    }
    let scene = Scene::new();
    let machine = Machine::new(&scene);
    let before = machine.files();

    let done = machine.does(&[&readme("dpkg -i "), INSTALLED, USED]);
    let version = env!("CARGO_PKG_VERSION");
    let done = done.says(&format!("sentinel-watch {version}\n")).says("    it is broken\n");
    assert!(done.stdout.contains("kept  running"), "{}", done.told());
    let added = machine.files();
    let added: Vec<&String> = added.difference(&before).collect();
    for place in ["./usr/bin/sentinel-keep", "./usr/share/doc/sentinel-run/copyright"] {
        assert!(added.iter().any(|line| line.starts_with(place)), "{place}: {added:#?}");
    }
    // Whoever installs it, it is root's, and nobody else may write to it.
    let open = |line: &&&String| {
        let mut words = line.split(' ').skip(1);
        let (mode, owner) = (words.next().unwrap(), words.next().unwrap());
        owner != "0:0" || (!mode.starts_with('l') && (&mode[5..6] == "w" || &mode[8..9] == "w"))
    };
    assert_eq!(added.iter().find(open), None);
    is_understood(&scene, &machine.root.join("usr/lib/systemd/user"), 3);
    can_be_read(&scene, &machine.root.join("usr/share/man"));

    machine.does(&["dpkg -r sentinel-run\n", LEFT]);
    let after = machine.files();
    let changed: Vec<&String> = before.symmetric_difference(&after).collect();
    assert!(changed.is_empty(), "not as it was: {changed:#?}");

    machine
        .does(&["mkdir -p ~/.local\n", &readme("tar -C ~/.local "), UNPACKED, USED])
        .says(&format!("sentinel-keep {version}\n"));
    let prefix = machine.root.join("tmp/home/.local");
    is_understood(&scene, &prefix.join("share/systemd/user"), 3);
    are_completed(&scene, &prefix);
}

/// systemd says on standard error what it does not understand in these units, and exits with 0.
fn is_understood(scene: &Scene, from: &Path, many: usize) {
    let units = scene.path("units");
    fs::create_dir_all(&units).unwrap();
    let mut paths = Vec::new();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        // As they stand the program is not there: it is looked for, and has to be, in the root.
        let root = from.parent().and_then(Path::parent).and_then(Path::parent).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let text =
            text.replace("=/usr/bin/sentinel-", &format!("={}/bin/sentinel-", root.display()));
        paths.push(units.join(path.file_name().unwrap()));
        fs::write(paths.last().unwrap(), text).unwrap();
    }
    assert_eq!(paths.len(), many);
    let verify = scene.command("systemd-analyze --user --man=no verify").args(&paths);
    let verified = verify.env("XDG_RUNTIME_DIR", scene.root()).finish().exits(0);
    assert_eq!(verified.stderr, "", "{}", verified.told());
    for path in paths.iter().filter(|path| path.extension().is_some_and(|end| end == "service")) {
        // What it starts outlives it.
        assert!(fs::read_to_string(path).unwrap().contains("\nKillMode=process\n"));
    }
}

fn can_be_read(scene: &Scene, man: &Path) {
    for (page, words) in
        [("man1/sentinel-run.1.gz", "SENTINEL-RUN(1)"), ("man7/sentinel.7.gz", "stuck")]
    {
        scene.command("mandoc -T ascii").arg(man.join(page)).finish().exits(0).says(words);
    }
}

/// A shell finds each program's completions under the prefix by the program's name.
fn are_completed(scene: &Scene, prefix: &Path) {
    let ask =
        "for line in 'sentinel-run --kill' 'sentinel-watch --prob' 'sentinel-keep metrics --outp'
        complete -C $line
    end";
    let path = format!("{}:/usr/bin:/bin", prefix.join("bin").display());
    let fish = scene.program("fish").args(["-c", ask]).env("PATH", path);
    let fish = fish.env("HOME", scene.root()).env("XDG_DATA_DIRS", prefix.join("share"));
    let done = fish.finish().exits(0);
    let words: Vec<&str> =
        done.stdout.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(words, ["--kill-survivors", "--probe", "--output"], "{}", done.told());
}
