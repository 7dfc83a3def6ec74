//! `metrics`: numbers on standard output, or into a file for `node_exporter`.

use super::Context;
use crate::keep::metrics::gather;
use crate::keep::{KeepError, registry};
use crate::os::disk::publish;
use crate::os::say::{print, say};
use crate::protocol::text::json;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// One object: each process, and the totals
    Json,
    /// The text that Prometheus reads
    Prometheus,
}

#[expect(clippy::doc_markdown, reason = "these are the texts of --help")]
#[derive(Debug, Args)]
pub struct Metrics {
    /// json, or prometheus for node_exporter's textfile collector
    #[arg(long, value_enum, default_value = "json", hide_possible_values = true)]
    format: Format,

    /// Write into FILE, whole and at once, readable by everybody (for node_exporter: a .prom file in the
    /// directory of its textfile collector)
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Metrics {
    pub fn run(&self, context: &Context) -> Result<u8, KeepError> {
        if context.json && self.format == Format::Prometheus {
            let why = "--json and --format prometheus contradict each other: give one of them";
            return Err(KeepError::Usage(why.to_owned()));
        }
        let registry = registry::load(&context.home)?;
        let metrics = gather(&context.home, &registry)?;
        let text = match self.format {
            Format::Json => json(&metrics) + "\n",
            Format::Prometheus => metrics.exposition(),
        };
        match &self.output {
            Some(path) => publish(path, text.as_bytes()).map_err(|source| {
                let what = format!("write the metrics to {}", path.display());
                KeepError::System { what, source }
            })?,
            None => print(text.trim_end_matches('\n')),
        }
        let mut worst = 0;
        for why in registry.bad() {
            let path = context.home.registry().to_owned();
            let error = KeepError::Entry { path, why: why.clone() };
            say(format!("sentinel-keep: {error}"));
            worst = worst.max(error.exit_code());
        }
        Ok(worst)
    }
}
