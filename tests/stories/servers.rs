//! Real servers for a story: on an address of their own, in a directory of their own, and ended
//! for certain, whatever becomes of the story.
//!
//! Each server is the child of a small shell that reads from a pipe of ours. The pipe closes when
//! the story drops the server and also when the whole test process is killed; then the shell ends
//! the server and removes its directory.

use std::ffi::OsString;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};

use crate::scene::{Cmd, Process, Scene, has, is_root, skip, until};

/// `$1` is the signal that ends the server at once, `$2` its directory, the rest the server.
const GUARD: &str = r#"
signal=$1 home=$2
shift 2
"$@" </dev/null >"$home/log" 2>&1 &
server=$!
echo $server >"$home/started" && mv "$home/started" "$home/server.pid"
read -r _
kill -s "$signal" $server
wait $server
rm -rf "$home"
"#;

/// Where Debian puts what is not for everybody's search path.
const SBIN: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
/// The server of PostgreSQL refuses to work as root: then it works as nobody.
const NOBODY: u32 = 65534;

/// An address that no other server of any story has: there are enough of them on the loopback.
pub fn free_address() -> SocketAddrV4 {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    let [.., high, low] = std::process::id().to_be_bytes();
    let host = Ipv4Addr::new(127, high, low, NEXT.fetch_add(1, Ordering::Relaxed).max(1));
    let listener = TcpListener::bind((host, 0)).expect("the loopback has a free port");
    let port = listener.local_addr().unwrap().port();
    SocketAddrV4::new(host, port)
}

/// A running server.
struct Server {
    guard: Child,
    home: PathBuf,
}

impl Server {
    fn start(home: tempfile::TempDir, end_with: &str, command: &mut Command) -> Self {
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "guard", end_with]).arg(home.path());
        guard.arg(command.get_program()).args(command.get_args()).current_dir("/");
        // Its own group: a Ctrl-C for the tests ends them, and by that it ends the server.
        guard.process_group(0).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let guard = guard.spawn().expect("a shell can be started");
        Self { guard, home: home.keep() }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }

    #[track_caller]
    fn is_ready(&self, what: &str, mut ready: impl FnMut() -> bool) {
        let pid = self.home.join("server.pid");
        until(&format!("{what} is ready"), || {
            let Ok(pid) = fs::read_to_string(&pid) else { return false };
            let alive = Process::of(pid.trim().parse().unwrap()).is_some();
            assert!(alive, "{what} ended at once: {}", self.log());
            ready()
        });
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A PostgreSQL server with a new, empty database.
pub struct Postgres {
    server: Server,
    pub address: SocketAddrV4,
}

impl Postgres {
    /// Says so and starts none where there is no such server.
    pub fn start(story: &str) -> Option<Self> {
        Self::start_at(story, free_address())
    }

    /// The same, at this address.
    pub fn start_at(story: &str, address: SocketAddrV4) -> Option<Self> {
        let Some(programs) = postgres_programs().filter(|_| has("psql")) else {
            skip(story, "no PostgreSQL");
            return None;
        };
        if is_root() && !has("setpriv") {
            skip(story, "the server refuses to work as root, and there is no setpriv");
            return None;
        }
        let home = tempfile::Builder::new().prefix("sentinel-postgres-").tempdir().unwrap();
        if is_root() {
            std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let data = home.path().join("data");
        let made = not_root(&programs.join("initdb"))
            .args(["-A", "trust", "-U", "story", "-E", "UTF8", "--locale=C"])
            .args(["--no-sync", "--wal-segsize=1", "-D"])
            .arg(&data)
            .current_dir("/")
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));

        let mut postgres = not_root(&programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(home.path()).args(["-F", "-h"]);
        postgres.args([address.ip().to_string(), "-p".to_owned(), address.port().to_string()]);
        // Its memory goes with its directory.
        postgres.args(["-c", "dynamic_shared_memory_type=mmap"]);
        // QUIT is its immediate end, and that of all its sessions.
        let server = Server::start(home, "QUIT", &mut postgres);
        server.is_ready("PostgreSQL", || {
            let mut asked = Command::new(programs.join("pg_isready"));
            asked.arg("-q").arg("-h").arg(&server.home).arg("-p").arg(address.port().to_string());
            asked.status().unwrap().success()
        });
        Some(Self { server, address })
    }

    /// The directory of its socket.
    pub fn home(&self) -> &Path {
        &self.server.home
    }

    /// A command whose `psql` finds this server, by its socket.
    pub fn client(&self, command: Cmd) -> Cmd {
        let command = command.with(|command| {
            for (name, _) in std::env::vars_os() {
                if name.as_encoded_bytes().starts_with(b"PG") {
                    command.env_remove(name);
                }
            }
        });
        command
            .env("PGHOST", self.home())
            .env("PGPORT", self.address.port().to_string())
            .env("PGUSER", "story")
            .env("PGDATABASE", "postgres")
            .env("PSQLRC", "/dev/null")
    }

    /// Lets `psql` do this and returns what it printed.
    #[track_caller]
    pub fn sql(&self, scene: &Scene, statement: &str) -> String {
        let psql = scene.program("psql").args(["-qAtc", statement]);
        self.client(psql).finish().exits(0).stdout.trim_end().to_owned()
    }
}

fn postgres_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|version| version.path().join("bin"));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut all: Vec<PathBuf> = std::env::split_paths(&path).chain(debian).collect();
    all.retain(|dir| ["initdb", "postgres", "pg_isready"].iter().all(|it| dir.join(it).exists()));
    all.pop()
}

fn not_root(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let (user, group) = (format!("--reuid={NOBODY}"), format!("--regid={NOBODY}"));
    command.args([&user, &group, "--clear-groups"]).arg(program);
    command
}

/// An nginx with two health pages: `/health` is bad while the file `sick` exists, and `/flaky` is
/// bad at two of three requests.
pub struct Nginx {
    server: Option<Server>,
    program: PathBuf,
    home: PathBuf,
    address: SocketAddrV4,
}

impl Nginx {
    /// Says so and starts none where there is no such server.
    pub fn start(story: &str) -> Option<Self> {
        let home = tempfile::Builder::new().prefix("sentinel-nginx-").tempdir().unwrap();
        let mut nginx = Self::configure(story, home.path())?;
        let mut command = Command::new(&nginx.program);
        let server = Server::start(home, "TERM", command.args(nginx.args()));
        server.is_ready("nginx", || TcpStream::connect(nginx.address).is_ok());
        nginx.server = Some(server);
        Some(nginx)
    }

    /// One that is not started, with its files in this directory.
    pub fn configure(story: &str, home: &Path) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).chain(SBIN.map(PathBuf::from));
        let found = places.find_map(|dir| Some(dir.join("nginx")).filter(|file| file.exists()));
        let Some(program) = found else {
            skip(story, "no nginx");
            return None;
        };
        let address = free_address();
        let user = if is_root() { "user root;" } else { "" };
        let conf = format!(
            r"
daemon off;
worker_processes 1;
pid nginx.pid;
error_log stderr;
{user}
events {{ worker_connections 64; }}
http {{
    access_log access.log;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_timeout 0;
    # By the number of the connection: good if it ends in 0, 3, 6 or 9.
    map $connection $flaky {{ ~[0369]$ ''; default yes; }}
    server {{
        listen {address};
        location = /health {{
            if (-f {home}/sick) {{ return 503; }}
            return 200 'well\n';
        }}
        location = /flaky {{
            if ($flaky) {{ return 503; }}
            return 200 'well\n';
        }}
    }}
}}
",
            home = home.display()
        );
        fs::write(home.join("nginx.conf"), conf).unwrap();
        Some(Self { server: None, program, home: home.to_owned(), address })
    }

    /// Starts it as a command of the story, in the foreground.
    pub fn command(&self) -> Vec<OsString> {
        std::iter::once(self.program.clone().into()).chain(self.args()).collect()
    }

    fn args(&self) -> [OsString; 6] {
        let home = self.home.clone().into();
        ["-e".into(), "stderr".into(), "-p".into(), home, "-c".into(), "nginx.conf".into()]
    }

    pub fn page(&self, name: &str) -> String {
        format!("http://{}/{name}", self.address)
    }

    /// From here on `/health` answers 503.
    pub fn falls_ill(&self) {
        fs::write(self.home.join("sick"), "").unwrap();
    }

    pub fn recovers(&self) {
        fs::remove_file(self.home.join("sick")).unwrap();
    }

    /// How many times a page was asked for and got this answer.
    pub fn answered(&self, page: &str, status: u16) -> usize {
        let log = fs::read_to_string(self.home.join("access.log")).unwrap_or_default();
        let request = format!("/{page} HTTP/");
        let answer = format!("\" {status} ");
        log.lines().filter(|line| line.contains(&request) && line.contains(&answer)).count()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.server = None;
    }
}
