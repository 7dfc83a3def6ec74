//! What the stuck rule sees of a running tree, as JSON, and what it says of it.
//!
//! ```sh
//! cargo run --example snapshot -- $$
//! ```
//!
//! To be run by whoever may trace the process: root, or an ancestor of it.

use sentinel::decide::stuck::judge;
use sentinel::os::process;
use sentinel::os::snapshot::{Depth, take};
use sentinel::os::tree::descendants;
use std::process::ExitCode;

fn main() -> ExitCode {
    let pid = std::env::args().nth(1).and_then(|pid| pid.parse().ok());
    let Some(root) = pid.and_then(process::stat) else {
        eprintln!("expected the PID of a running process, as in: snapshot 4242");
        return ExitCode::FAILURE;
    };
    let mut tree = descendants(root.pid, &[]);
    tree.insert(0, root);
    let snapshot = take(&tree, false, Depth::OneReason, None);
    println!("{}", serde_json::to_string_pretty(&snapshot).unwrap_or_default());
    eprintln!("{:?}", judge(&snapshot));
    ExitCode::SUCCESS
}
