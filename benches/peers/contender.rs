//! The contenders, as data: how each is told to start a job, to wait for it and to end it.
//!
//! In a line, `{job}` stands for the command, `{name}` for the job's name, `{dir}`
//! for the contender's directory, `{id}` for the first word that `start` printed, and
//! `{here}` for the directory of this file. Our programs are the static build's.

pub struct Contender {
    pub name: &'static str,
    pub start: Start,
    /// Returns at the job's end; if there is none, `start` does.
    pub wait: Option<&'static str>,
    /// The contender's own way to end the job.
    pub end: End,
}

pub enum Start {
    /// This command lasts as long as the job.
    Foreground(&'static str),
    /// This command returns as soon as the job is started, or queued.
    Background(&'static str),
}

impl Start {
    pub const fn line(&self) -> &'static str {
        match self {
            Self::Foreground(line) | Self::Background(line) => line,
        }
    }
}

pub enum End {
    /// This command.
    By(&'static str),
    /// TERM to the process that a `start` in the foreground is.
    Term,
    /// TERM to the process group whose number ends `{id}`.
    TermGroup,
}

const fn foreground(name: &'static str, line: &'static str) -> Contender {
    Contender { name, start: Start::Foreground(line), wait: None, end: End::Term }
}

pub const BARE: Contender = foreground("bare", "{job}");
pub const TIMEOUT: Contender = foreground("timeout", "timeout -k 1 1000 {job}");
pub const TINI: Contender = foreground("tini -g", "tini -s -g -- {job}");
pub const DUMB_INIT: Contender = foreground("dumb-init", "dumb-init {job}");
pub const CHPST: Contender = foreground("chpst", "chpst {job}");
pub const TEMPLATE: Contender =
    foreground("bash template", "bash {here}/template.sh {name} {dir} {job}");

/// What one would type to see what `SENTINEL_LOOKING` looks at.
pub const PS: Contender = foreground("ps -eLf", "ps -eLf");

pub const NQ: Contender = Contender {
    name: "nq",
    start: Start::Background("nq {job}"),
    wait: Some("nq -w {id}"),
    end: End::TermGroup,
};

pub const TSP: Contender = Contender {
    name: "tsp",
    start: Start::Background("tsp {job}"),
    wait: Some("tsp -w {id}"),
    end: End::By("tsp -k {id}"),
};

pub const INOTIFYWAIT: Contender = Contender {
    name: "bash template, inotifywait",
    wait: Some("bash {here}/await.sh inotifywait {dir} {name}"),
    ..TEMPLATE
};

pub const POLL: Contender = Contender {
    name: "bash template, poll every 1 s",
    wait: Some("bash {here}/await.sh poll {dir} {name}"),
    ..TEMPLATE
};

pub const SENTINEL: Contender = Contender {
    name: "sentinel-run",
    start: Start::Foreground("sentinel-run --quiet --dir {dir} {name} -- {job}"),
    wait: None,
    end: End::By("sentinel-watch --dir {dir} --stop {name}"),
};

pub const SENTINEL_DETACHED: Contender = Contender {
    name: "sentinel-run --detach",
    start: Start::Background("sentinel-run --detach --grace 1 --dir {dir} {name} -- {job}"),
    wait: Some("sentinel-watch --dir {dir} {name}"),
    ..SENTINEL
};

pub const SENTINEL_SILENT: Contender = Contender {
    name: "sentinel-watch, of another host, over a silent mount",
    start: Start::Background("bash {here}/elsewhere.sh {dir} {name} {job}"),
    wait: Some("bash {here}/silent.sh {dir} sentinel-watch --dir MOUNT {name}"),
    ..SENTINEL
};

pub const POLL_SILENT: Contender = Contender {
    name: "a loop with sleep 1, over the same mount",
    wait: Some("bash {here}/silent.sh {dir} bash {here}/await.sh poll MOUNT {name}"),
    ..SENTINEL_SILENT
};

pub const SENTINEL_LOOKING: Contender = Contender {
    start: Start::Background(
        "sentinel-run --detach --heartbeat-interval 1s --beat-on auto --stale 1h --dir {dir} {name} -- {job}",
    ),
    ..SENTINEL_DETACHED
};
