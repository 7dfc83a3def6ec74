//! `doctor`: a line for each thing that was looked at.

use crate::keep::doctor::{Finding, examine};
use crate::os::say::print;
use crate::protocol::text::{json, one_line};
use std::path::{Path, PathBuf};

/// Says what was found; 1 if something is wrong, else 0.
pub fn run(registry: &Path, scripts: &[PathBuf], as_json: bool) -> u8 {
    let registry = std::path::absolute(registry).unwrap_or_else(|_| registry.to_owned());
    let findings = examine(registry.parent().unwrap_or(&registry), scripts);
    for finding in &findings {
        print(&if as_json { json(finding) } else { line(finding) });
    }
    u8::from(findings.iter().any(|finding| finding.good == Some(false)))
}

fn line(finding: &Finding) -> String {
    let mark = match finding.good {
        Some(true) => "ok",
        Some(false) => "!!",
        None => "??",
    };
    let todo = finding.todo.as_ref().map(|todo| format!("; {todo}")).unwrap_or_default();
    one_line(&format!("{mark}  {}: {}{todo}", finding.check, finding.says))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines() {
        let finding = |good, todo: Option<&str>| Finding {
            check: "space",
            good,
            says: "seen\nhere".into(),
            todo: todo.map(str::to_owned),
        };
        for (finding, expected) in [
            (finding(Some(true), None), "ok  space: seen here"),
            (finding(Some(false), Some("mend it")), "!!  space: seen here; mend it"),
            (finding(None, Some("ask")), "??  space: seen here; ask"),
        ] {
            assert_eq!(line(&finding), expected);
        }
    }
}
