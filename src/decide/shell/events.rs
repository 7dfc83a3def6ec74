//! Whether what goes to the background in a shell is waited for, or ended, before the shell is done.

use std::collections::{BTreeMap, BTreeSet};

/// What happens in one shell environment, in the order of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A job goes to the background; its number.
    Background(usize),
    /// The PID of the last one is kept in this variable.
    Kept(String),
    /// Something else is kept in this variable.
    Set(String),
    /// Jobs are waited for, or ended.
    Over(Target),
    /// This job is waited for by whoever reads its output to the end.
    Held(usize),
    /// A function is called.
    Called(String),
}

/// Which jobs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// All, or those that nobody can tell before it runs.
    All,
    /// The last one: `$!`.
    Last,
    /// Those whose PIDs are in these variables.
    In(Vec<String>),
}

/// How deep functions are followed.
const DEEP: usize = 8;

/// The jobs that are left when the environment is done, and the functions that were called.
#[must_use]
pub fn left(
    events: &[Event],
    functions: &BTreeMap<String, Vec<Event>>,
) -> (BTreeSet<usize>, BTreeSet<String>) {
    let mut state = State {
        functions,
        elsewhere: BTreeSet::new(),
        left: BTreeSet::new(),
        kept: BTreeMap::new(),
        last: None,
        called: BTreeSet::new(),
    };
    state.take(events, 0);
    (state.left, state.called)
}

struct State<'a> {
    functions: &'a BTreeMap<String, Vec<Event>>,
    /// Variables that cannot hold the PID of a job: nothing was left when they were set.
    elsewhere: BTreeSet<String>,
    left: BTreeSet<usize>,
    kept: BTreeMap<String, BTreeSet<usize>>,
    last: Option<usize>,
    called: BTreeSet<String>,
}

impl State<'_> {
    fn take(&mut self, events: &[Event], depth: usize) {
        for event in events {
            match event {
                Event::Background(job) => {
                    self.left.insert(*job);
                    self.last = Some(*job);
                }
                Event::Kept(variable) => {
                    let kept = self.kept.entry(variable.clone()).or_default();
                    kept.extend(self.last);
                    self.elsewhere.remove(variable);
                }
                Event::Set(variable) if self.left.is_empty() => {
                    self.elsewhere.insert(variable.clone());
                }
                Event::Set(variable) => {
                    self.elsewhere.remove(variable);
                    self.kept.remove(variable);
                }
                Event::Over(target) => self.over(target),
                Event::Held(job) => {
                    self.left.remove(job);
                }
                Event::Called(name) => {
                    if let Some(body) = self.functions.get(name).filter(|_| depth < DEEP) {
                        self.called.insert(name.clone());
                        self.take(body, depth + 1);
                    }
                }
            }
        }
    }

    fn over(&mut self, target: &Target) {
        match target {
            Target::All => self.left.clear(),
            Target::Last => {
                if let Some(last) = self.last {
                    self.left.remove(&last);
                }
            }
            // A variable of which nothing is known may hold anything.
            Target::In(variables)
                if variables.iter().any(|name| {
                    !self.kept.contains_key(name) && !self.elsewhere.contains(name)
                }) =>
            {
                self.left.clear();
            }
            Target::In(variables) => {
                for job in variables.iter().filter_map(|name| self.kept.get(name)).flatten() {
                    self.left.remove(job);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left() {
        use Event::{Background, Called, Kept, Over, Set};
        let one = |name: &str| Target::In(vec![name.to_owned()]);
        let functions: BTreeMap<_, _> = [
            ("stop".to_owned(), vec![Over(one("p"))]),
            ("again".to_owned(), vec![Called("again".to_owned())]),
        ]
        .into();
        for (events, expected) in [
            (vec![Background(0)], vec![0]),
            (vec![Background(0), Background(1), Over(Target::All)], vec![]),
            (vec![Over(Target::All), Background(0)], vec![0]),
            (vec![Background(0), Background(1), Over(Target::Last)], vec![0]),
            (vec![Background(0), Kept("p".into()), Background(1), Over(one("p"))], vec![1]),
            (vec![Background(0), Over(one("unknown"))], vec![]),
            (vec![Set("other".into()), Background(0), Over(one("other"))], vec![0]),
            (vec![Background(0), Set("other".into()), Over(one("other"))], vec![]),
            (vec![Set("p".into()), Background(0), Kept("p".into()), Over(one("p"))], vec![]),
            (vec![Background(0), Kept("p".into()), Called("stop".into())], vec![]),
            (vec![Background(0), Called("again".into())], vec![0]),
            (
                vec![
                    Background(0),
                    Kept("p".into()),
                    Background(1),
                    Kept("p".into()),
                    Over(one("p")),
                ],
                vec![],
            ),
        ] {
            let (found, _) = left(&events, &functions);
            assert_eq!(found.into_iter().collect::<Vec<_>>(), expected, "{events:?}");
        }
    }
}
