//! The text in which Prometheus, and the textfile collector of its `node_exporter`, read metrics
//! (exposition format 0.0.4).

use std::fmt::Write;

/// What a number does with time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It only grows; its name ends in `_total`.
    Counter,
    /// It comes and goes.
    Gauge,
}

/// A metric: its name, with the unit in it, and what it is.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// `sentinel_keep_…`
    pub name: &'static str,
    /// What it does with time.
    pub kind: Kind,
    /// In a sentence.
    pub help: &'static str,
}

/// A number with the labels that tell it from others of its metric.
pub type Sample<'a> = (Vec<(&'static str, &'a str)>, f64);

/// A text under way.
#[derive(Clone, Debug, Default)]
pub struct Exposition(String);

impl Exposition {
    /// Adds a metric, once, with all its samples; one without samples is left out.
    pub fn add<'a>(&mut self, metric: &Metric, samples: impl IntoIterator<Item = Sample<'a>>) {
        let Metric { name, kind, help } = metric;
        let mut samples = samples.into_iter().peekable();
        if samples.peek().is_none() {
            return;
        }
        let word = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
        };
        let help = help.replace('\\', r"\\").replace('\n', r"\n");
        // Writing into a text cannot fail.
        let _ = write!(self.0, "# HELP {name} {help}\n# TYPE {name} {word}\n");
        for (labels, value) in samples {
            let labels: Vec<String> = labels
                .iter()
                .map(|(label, text)| format!("{label}=\"{}\"", escape(text)))
                .collect();
            let labels = match labels.as_slice() {
                [] => String::new(),
                labels => format!("{{{}}}", labels.join(",")),
            };
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    /// All of it.
    #[must_use]
    pub fn text(self) -> String {
        self.0
    }
}

fn escape(text: &str) -> String {
    text.replace('\\', r"\\").replace('\n', r"\n").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UP: Metric = Metric { name: "up", kind: Kind::Gauge, help: "Whether\nit \\ runs." };

    fn one(label: &str, value: f64) -> String {
        let mut all = Exposition::default();
        all.add(&UP, [(vec![("name", label)], value)]);
        all.text()
    }

    #[test]
    fn a_metric_is_told_once_and_its_samples_below() {
        let mut all = Exposition::default();
        all.add(&UP, [(vec![], 1.0), (vec![("name", "a"), ("cause", "b")], 0.25)]);
        all.add(&UP, []);
        let text = "# HELP up Whether\\nit \\\\ runs.\n# TYPE up gauge\nup 1\nup{name=\"a\",cause=\"b\"} 0.25\n";
        assert_eq!(all.text(), text);
        assert!(one("x", 1e21).ends_with("{name=\"x\"} 1000000000000000000000\n"));
    }

    proptest! {
        /// Read back as the format says, a label is what it was.
        #[test]
        fn any_label_stays_in_its_quotes(label in ".*|[\"\\\\\n]{0,9}") {
            let text = one(&label, 1.0);
            let line = text.lines().nth(2).unwrap();
            let inner = line.strip_prefix("up{name=\"").unwrap().strip_suffix("\"} 1").unwrap();
            let mut back = String::new();
            let mut rest = inner.chars();
            while let Some(c) = rest.next() {
                prop_assert!(c != '"');
                back.push(match c {
                    '\\' => match rest.next() {
                        Some('n') => '\n',
                        Some(c @ ('"' | '\\')) => c,
                        other => panic!("{other:?} after a backslash"),
                    },
                    c => c,
                });
            }
            prop_assert_eq!(back, label);
        }
    }
}
