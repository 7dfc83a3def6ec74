//! `status`: a table for people, objects for programs.

use super::Context;
use crate::keep::status::{self, State, Status};
use crate::keep::{KeepError, registry};
use crate::os::say::print;
use crate::protocol::ledger::Failure;
use crate::protocol::name::JobName;
use crate::protocol::text::{cut, json, one_line};
use crate::protocol::time::{human, rfc3339, seconds};
use crate::watch::pace;
use comfy_table::{CellAlignment, ColumnConstraint, Table, presets};
use std::time::{Duration, SystemTime};

/// Exit statuses as those of `systemctl status`.
const RUNNING: u8 = 0;
const NOT_RUNNING: u8 = 3;

/// A cell of the table is cut here, characters.
const CELL: usize = 60;

const HEAD: [&str; 9] =
    ["NAME", "STATE", "VERDICT", "UPTIME", "RESTARTS", "MEMORY", "CPU", "LAST FAILURE", "DETAIL"];

/// Of all processes; of those that are named, if any are.
pub fn run(context: &Context, names: &[JobName]) -> Result<u8, KeepError> {
    let registry = registry::load(&context.home)?;
    let mut code = RUNNING;
    let mut known = Vec::new();
    for name in names {
        match registry::process(&context.home, &registry, name) {
            Ok(_) => known.push(name.clone()),
            Err(error) => code = code.max(context.fail(name.as_str(), &error)),
        }
    }
    if known.is_empty() && !names.is_empty() {
        return Ok(code);
    }
    let all = status::all(&context.home, &registry, &known)?;
    if context.json {
        for status in &all {
            print(&json(status));
        }
    } else if !names.is_empty() {
        print(&all.iter().map(in_full).collect::<Vec<_>>().join("\n\n"));
    } else if all.is_empty() {
        context.say_empty();
    } else {
        print(&table(&all));
    }
    let missed = |status: &Status| match names {
        [] => status.state.is_missed(),
        _ => !status.state.runs(),
    };
    Ok(code.max(if all.iter().any(missed) { NOT_RUNNING } else { RUNNING }))
}

/// One line each, columns at least two blanks apart, and no empty cell: so `awk` finds its way, too.
fn table(all: &[Status]) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(HEAD);
    for status in all {
        table.add_row(row(status));
    }
    for (at, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_constraint(ColumnConstraint::ContentWidth);
        if (3..7).contains(&at) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.lines().map(|line| line.trim_end().to_owned());
    lines.collect::<Vec<_>>().join("\n")
}

fn row(status: &Status) -> [String; 9] {
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let span = |s: Option<f64>| s.and_then(seconds);
    let detail = match doing(status) {
        detail if detail.is_empty() => None,
        detail => Some(cut(&detail, CELL)),
    };
    [
        status.name.clone(),
        status.state.as_str().to_owned(),
        or_dash(status.verdict.map(|verdict| verdict.to_string())),
        or_dash(span(status.uptime_s).map(roughly)),
        status.restarts.to_string(),
        or_dash(status.memory_bytes.map(size)),
        or_dash(status.cpu_percent.map(|percent| format!("{percent:.0}%"))),
        or_dash(status.last_failure.as_ref().map(failed)),
        or_dash(detail),
    ]
}

/// What there is to say of it now.
fn doing(status: &Status) -> String {
    let span = |s: Option<f64>| s.and_then(seconds);
    let mut parts: Vec<String> = Vec::new();
    if let Some(left) = span(status.restart_in_s).filter(|_| status.state == State::Restarting) {
        parts.push(format!("in {}", human(left)));
    }
    parts.extend(status.detail.clone());
    parts.extend(status.progress.clone());
    if let (Some(pace), Some(text)) = (&status.pace, &status.progress) {
        parts.extend(pace::words(pace, text));
    }
    if let Some(quiet) = span(status.quiet_s).filter(|quiet| *quiet >= Duration::from_secs(1)) {
        parts.push(format!("quiet for {}", human(quiet)));
    }
    parts.extend(status.awaits.clone());
    parts.extend(status.adopted.then(|| "adopted".to_owned()));
    one_line(&parts.join(", "))
}

/// `exit code 1, 3m ago`.
fn failed(failure: &Failure) -> String {
    let ago = SystemTime::now().duration_since(failure.at).unwrap_or_default();
    let ago = format!(", {} ago", roughly(ago));
    cut(&one_line(&failure.reason), CELL.saturating_sub(ago.len())) + &ago
}

/// One process, a line for each thing that is known of it.
fn in_full(status: &Status) -> String {
    let span = |s: Option<f64>| s.and_then(seconds).map(human);
    let detail = status.detail.as_ref().map(|detail| format!(" ({})", one_line(detail)));
    let detail = detail.unwrap_or_default();
    let mut lines = vec![format!("{}: {}{detail}", status.name, status.state.as_str())];
    let pids = match (status.pid, status.child_pid) {
        (Some(pid), Some(child)) => Some(format!("{child} (wrapper {pid})")),
        (pid, _) => pid.map(|pid| format!("wrapper {pid}")),
    };
    let failure = status
        .last_failure
        .as_ref()
        .map(|failure| format!("{} ({}, {})", failure.words(), failure.cause, rfc3339(failure.at)));
    let causes: Vec<String> =
        status.failures.iter().map(|(cause, count)| format!("{cause} {count}")).collect();
    let facts = [
        ("command", Some(status.command.clone())),
        ("verdict", status.verdict.map(|verdict| verdict.to_string())),
        ("pid", pids),
        ("adopted", status.adopted.then(|| "yes: its exit status may stay unknown".to_owned())),
        ("uptime", span(status.uptime_s)),
        ("restarts", Some(status.restarts.to_string())),
        ("restart in", span(status.restart_in_s)),
        ("down for", span(status.down_s)),
        ("memory", status.memory_bytes.map(size)),
        ("cpu", span(status.cpu_s).zip(status.cpu_percent).map(|(s, p)| format!("{s} ({p:.1}%)"))),
        ("progress", status.progress.clone()),
        ("awaits", status.awaits.clone()),
        ("quiet for", span(status.quiet_s)),
        ("trouble", status.trouble.clone()),
        ("last failure", failure),
        ("diagnosis", status.last_failure.as_ref().and_then(|failure| failure.diagnosis.clone())),
        ("failures", Some(causes.join(", ")).filter(|causes| !causes.is_empty())),
        ("log", Some(status.log.clone())),
        ("attach", status.tmux.as_ref().map(|session| format!("tmux attach -t ={session}"))),
    ];
    for (label, fact) in facts {
        lines.extend(fact.map(|fact| format!("{label:>13}: {}", one_line(&fact))));
    }
    lines.join("\n")
}

/// The two largest units: `2h 15m`.
fn roughly(duration: Duration) -> String {
    let text = human(duration);
    text.split(' ').take(2).collect::<Vec<_>>().join("")
}

fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let bytes = bytes as f64;
    let units = [(1024.0 * 1024.0 * 1024.0, "G"), (1024.0 * 1024.0, "M"), (1024.0, "K")];
    let (unit, letter) = units.into_iter().find(|(unit, _)| bytes >= *unit).unwrap_or((1.0, "B"));
    let value = bytes / unit;
    if value < 10.0 && letter != "B" {
        format!("{value:.1}{letter}")
    } else {
        format!("{value:.0}{letter}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times() {
        for (bytes, text) in
            [(0, "0B"), (900, "900B"), (1536, "1.5K"), (20 << 20, "20M"), (3 << 30, "3.0G")]
        {
            assert_eq!(size(bytes), text);
        }
        assert_eq!(roughly(Duration::from_secs(93_784)), "1day2h");
        assert_eq!(roughly(Duration::from_secs(95)), "1m35s");
    }
}
