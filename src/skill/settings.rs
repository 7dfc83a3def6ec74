//! A settings file with our hooks in it, or without them. Everything else in it, comments and blanks
//! included, stays as it is.

use super::entries::is_ours;
use jsonc_parser::ParseOptions;
use jsonc_parser::cst::{CstArray, CstInputValue, CstNode, CstObject, CstRootNode};
use serde_json::Value;

/// Why a settings file cannot be merged into.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSettings {
    /// It is no JSON.
    #[error("it is no JSON: {0}; mend it first")]
    Syntax(String),
    /// Something in it is of another kind than the host expects.
    #[error("its {0} is not {1}; mend it first")]
    Kind(String, &'static str),
}

/// What is to be in it: for each event what is added to its list; and a top-level key, if it is absent.
#[derive(Clone, Debug, PartialEq)]
pub struct Wanted {
    /// The hooks.
    pub hooks: Vec<(&'static str, Value)>,
    /// The key.
    pub besides: Option<(&'static str, Value)>,
}

/// The text with our hooks, each once. A text that has just these is given back as it is.
///
/// # Errors
/// If it cannot be understood.
pub fn with(text: &str, wanted: &Wanted) -> Result<String, BadSettings> {
    // Their order is not ours to choose: a list of somebody's may have been there before.
    let there = ours(text)?;
    let has = |(event, entry): &(&str, Value)| {
        there.iter().any(|(known, value)| known == event && value == entry)
    };
    if there.len() == wanted.hooks.len() && wanted.hooks.iter().all(has) {
        return Ok(text.to_owned());
    }
    let text = without(text)?;
    let (mark, text) = bare(&text);
    if text.trim().is_empty() {
        return Ok(format!("{mark}{}", fresh(wanted)));
    }
    let root = parse(text)?;
    let settings = object(&root)?;
    if let Some((key, value)) = &wanted.besides
        && settings.get(key).is_none()
    {
        settings.insert(0, key, input(value));
    }
    let hooks =
        settings.object_value_or_create("hooks").ok_or_else(|| kind("hooks", "an object"))?;
    for (event, entry) in &wanted.hooks {
        let list = hooks.array_value_or_create(event).ok_or_else(|| list_kind(event))?;
        list.ensure_multiline();
        list.append(input(entry));
    }
    Ok(format!("{mark}{root}"))
}

/// The text without our hooks; lists and objects that are empty only then are taken out, too.
///
/// # Errors
/// If it cannot be understood.
pub fn without(text: &str) -> Result<String, BadSettings> {
    let (mark, inner) = bare(text);
    if inner.trim().is_empty() {
        return Ok(text.to_owned());
    }
    let root = parse(inner)?;
    let Some(hooks) = hooks_of(&root)? else { return Ok(text.to_owned()) };
    let mut changed = false;
    for property in hooks.properties() {
        let event = property.decoded_name().unwrap_or_default();
        let list = property.array_value().ok_or_else(|| list_kind(&event))?;
        if strip(&list) {
            changed = true;
            if list.elements().is_empty() {
                property.remove();
            }
        }
    }
    if !changed {
        return Ok(text.to_owned());
    }
    if hooks.properties().is_empty()
        && let Some(property) = root.object_value().and_then(|settings| settings.get("hooks"))
    {
        property.remove();
    }
    Ok(format!("{mark}{root}"))
}

/// Takes our hooks out of the list of an event; whether there were any.
fn strip(list: &CstArray) -> bool {
    let mut changed = false;
    for entry in list.elements() {
        let inner = entry.as_object().and_then(|entry| entry.array_value("hooks"));
        match inner {
            // A group may hold somebody else's, too.
            Some(inner) => {
                let ours: Vec<CstNode> = inner.elements().into_iter().filter(calls_us).collect();
                if ours.is_empty() {
                    continue;
                }
                changed = true;
                if ours.len() == inner.elements().len() {
                    entry.remove();
                } else {
                    ours.into_iter().for_each(CstNode::remove);
                }
            }
            None if calls_us(&entry) => {
                changed = true;
                entry.remove();
            }
            None => {}
        }
    }
    changed
}

fn calls_us(hook: &CstNode) -> bool {
    let command = hook.as_object().and_then(|hook| hook.get("command")?.value()?.as_string_lit());
    command
        .and_then(|command| command.decoded_value().ok())
        .is_some_and(|command| is_ours(&command))
}

/// The entries that have a hook of ours.
fn ours(text: &str) -> Result<Vec<(String, Value)>, BadSettings> {
    let (_, inner) = bare(text);
    let mut found = Vec::new();
    if inner.trim().is_empty() {
        return Ok(found);
    }
    let root = parse(inner)?;
    for property in hooks_of(&root)?.map(|hooks| hooks.properties()).unwrap_or_default() {
        let event = property.decoded_name().unwrap_or_default();
        for entry in property.array_value().map(|list| list.elements()).unwrap_or_default() {
            let inner = entry.as_object().and_then(|entry| entry.array_value("hooks"));
            let any = match inner {
                Some(inner) => inner.elements().iter().any(calls_us),
                None => calls_us(&entry),
            };
            if any {
                // Without comments, as it means.
                let value: Option<Value> = plain(&entry.to_string());
                found.push((event.clone(), value.unwrap_or_default()));
            }
        }
    }
    Ok(found)
}

/// What a piece of a settings file means.
fn plain(text: &str) -> Option<Value> {
    fn value(from: jsonc_parser::JsonValue<'_>) -> Value {
        match from {
            jsonc_parser::JsonValue::String(text) => Value::String(text.into_owned()),
            jsonc_parser::JsonValue::Number(number) => {
                serde_json::from_str(number).unwrap_or_default()
            }
            jsonc_parser::JsonValue::Boolean(flag) => Value::Bool(flag),
            jsonc_parser::JsonValue::Object(fields) => Value::Object(
                fields.into_iter().map(|(key, of)| (key.to_string(), value(of))).collect(),
            ),
            jsonc_parser::JsonValue::Array(items) => {
                Value::Array(items.into_iter().map(value).collect())
            }
            jsonc_parser::JsonValue::Null => Value::Null,
        }
    }
    jsonc_parser::parse_to_value(text, &options()).ok().flatten().map(value)
}

/// A file of our own.
fn fresh(wanted: &Wanted) -> String {
    let mut hooks = serde_json::Map::new();
    for (event, entry) in &wanted.hooks {
        let list = hooks.entry(*event).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(entry.clone());
        }
    }
    let mut settings = serde_json::Map::new();
    settings.extend(wanted.besides.clone().map(|(key, value)| (key.to_owned(), value)));
    settings.insert("hooks".to_owned(), Value::Object(hooks));
    serde_json::to_string_pretty(&settings).unwrap_or_default() + "\n"
}

/// A byte order mark, and what follows it.
fn bare(text: &str) -> (&str, &str) {
    text.strip_prefix('\u{feff}').map_or(("", text), |inner| ("\u{feff}", inner))
}

fn options() -> ParseOptions {
    // What the hosts read; anything looser would be a mistake in the file.
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

fn parse(text: &str) -> Result<CstRootNode, BadSettings> {
    CstRootNode::parse(text, &options()).map_err(|error| BadSettings::Syntax(error.to_string()))
}

fn object(root: &CstRootNode) -> Result<CstObject, BadSettings> {
    root.object_value().ok_or_else(|| kind("content", "an object"))
}

fn hooks_of(root: &CstRootNode) -> Result<Option<CstObject>, BadSettings> {
    let Some(property) = object(root)?.get("hooks") else { return Ok(None) };
    property.object_value().map(Some).ok_or_else(|| kind("hooks", "an object"))
}

fn kind(what: &str, expected: &'static str) -> BadSettings {
    BadSettings::Kind(what.to_owned(), expected)
}

fn list_kind(event: &str) -> BadSettings {
    BadSettings::Kind(format!("hooks.{event}"), "a list")
}

fn input(value: &Value) -> CstInputValue {
    match value {
        Value::Null => CstInputValue::Null,
        Value::Bool(flag) => CstInputValue::Bool(*flag),
        Value::Number(number) => CstInputValue::Number(number.to_string()),
        Value::String(text) => CstInputValue::String(text.clone()),
        Value::Array(items) => CstInputValue::Array(items.iter().map(input).collect()),
        Value::Object(fields) => CstInputValue::Object(
            fields.iter().map(|(key, value)| (key.clone(), input(value))).collect(),
        ),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::entries::{besides, entries};
    use super::*;
    use crate::hook::host::Host;
    use proptest::prelude::*;

    fn wanted(host: Host, command: &str) -> Wanted {
        Wanted { hooks: entries(host, command), besides: besides(host) }
    }

    fn meant(text: &str) -> Value {
        plain(bare(text).1).unwrap_or_default()
    }

    #[test]
    fn everything_else_stays_as_it_was() {
        let before = "{\n    // mine\n    \"model\": \"opus\", /* x */\n    \"hooks\": {\n        \"Stop\": [\n            { \"hooks\": [ { \"type\": \"command\", \"command\": \"say done\" } ] } // loud\n        ]\n    },\n    \"env\": {},\n}\n";
        let wanted = wanted(Host::Claude, "sentinel-keep hook");
        let after = with(before, &wanted).unwrap();
        for line in before.lines().filter(|line| line.contains("//") || line.contains("/*")) {
            let kept = line.trim().split(" //").next().unwrap();
            assert!(after.contains(kept), "{line}\n{after}");
        }
        assert_eq!(meant(&after)["hooks"]["Stop"].as_array().unwrap().len(), 2);
        assert_eq!(with(&after, &wanted).unwrap(), after, "once is enough");
        assert_eq!(meant(&without(&after).unwrap()), meant(before));
    }

    #[test]
    fn another_way_to_the_program_takes_the_place_of_the_first() {
        let first = with("{}", &wanted(Host::Cursor, "sentinel-keep hook")).unwrap();
        let second =
            with(&first, &wanted(Host::Cursor, "/opt/sentinel-keep hook --mode warn")).unwrap();
        assert_eq!(meant(&second)["hooks"]["stop"].as_array().unwrap().len(), 1);
        assert_eq!(meant(&second)["version"], 1);
        assert!(second.contains("/opt/sentinel-keep hook --mode warn --host cursor"), "{second}");
    }

    #[test]
    fn what_cannot_be_understood_is_left_alone() {
        let wanted = wanted(Host::Codex, "sentinel-keep hook");
        for (text, word) in [
            ("{\"hooks\": ", "no JSON"),
            ("[]", "content is not an object"),
            ("{\"hooks\": []}", "hooks is not an object"),
            ("{\"hooks\": {\"Stop\": {}}}", "hooks.Stop is not a list"),
            ("{'a': 1}", "no JSON"),
        ] {
            let error = with(text, &wanted).unwrap_err().to_string();
            assert!(error.contains(word), "{text}: {error}");
        }
    }

    #[test]
    fn an_empty_file_becomes_ours() {
        for text in ["", " \n", "\u{feff}"] {
            let after = with(text, &wanted(Host::Gemini, "sentinel-keep hook")).unwrap();
            assert_eq!(meant(&after)["hooks"].as_object().unwrap().len(), 5, "{after}");
        }
    }

    /// Settings as people have them: other keys, hooks of others, comments, any layout.
    pub(in super::super) fn settings() -> impl Strategy<Value = String> {
        let other = "(\"[a-z]{1,6}\": (1|true|null|\"[a-z ]{0,8}\"|\\{\\}|\\[1, 2\\]))";
        let hook = "\\{ ?\"matcher\": \"[A-Z][a-z]{2,5}\", \"hooks\": \\[\\{\"type\": \"command\", \"command\": \"([a-z]{1,8}|sentinel-keep (alerts|hook)|logger sentinel-keep hook ran|sentinel-keep hook --host x; say done)\"\\}\\] ?\\}";
        let events = prop::collection::btree_map(
            prop::sample::select(vec!["Stop", "PreToolUse", "BeforeTool", "stop", "Other"]),
            prop::collection::vec(hook.prop_map(String::from), 0..3),
            0..3,
        );
        let space = prop::sample::select(vec!["", " ", "\n  ", "\n\t", " // note\n", " /* x */ "]);
        (
            prop::collection::vec(other.prop_map(String::from), 0..4),
            prop::option::of(events),
            space,
            any::<bool>(),
        )
            .prop_map(|(others, events, space, trailing)| {
                let mut parts = others;
                if let Some(events) = events {
                    let lists = events.iter().map(|(event, hooks)| {
                        format!("{space}\"{event}\":{space}[{}]", hooks.join(&format!(",{space}")))
                    });
                    parts.push(format!(
                        "\"hooks\": {{{}{space}}}",
                        lists.collect::<Vec<_>>().join(",")
                    ));
                }
                let comma = if trailing && !parts.is_empty() { "," } else { "" };
                let parts: Vec<String> =
                    parts.into_iter().map(|part| format!("{space}{part}")).collect();
                format!("{{{}{comma}{space}}}\n", parts.join(","))
            })
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in settings(), host in prop::sample::select(Host::ALL.to_vec())) {
            let before = meant(&text);
            let wanted = wanted(host, "sentinel-keep hook");
            let after = with(&text, &wanted).unwrap();
            prop_assert_eq!(&with(&after, &wanted).unwrap(), &after);
            for (event, entry) in &wanted.hooks {
                let value = meant(&after);
                prop_assert!(value["hooks"][event].as_array().unwrap().contains(entry), "{}", after);
            }
            // What was there is there, in its order.
            for (key, value) in before.as_object().unwrap() {
                if key == "hooks" {
                    for (event, list) in value.as_object().unwrap() {
                        let now = meant(&after)["hooks"][event].as_array().unwrap().clone();
                        prop_assert_eq!(&now[..list.as_array().unwrap().len()], list.as_array().unwrap());
                    }
                } else {
                    prop_assert_eq!(&meant(&after)[key], value);
                }
            }
            // And without ours it means what it meant, but for lists and objects that were empty.
            let undone = meant(&without(&after).unwrap());
            for (key, value) in before.as_object().unwrap() {
                if key != "hooks" {
                    prop_assert_eq!(&undone[key], value);
                }
            }
            for comment in ["// note", "/* x */"] {
                let count = |text: &str| text.matches(comment).count();
                prop_assert_eq!(count(&after), count(&text));
            }
        }

        #[test]
        fn no_text_panics(text in "[{}\\[\\]\",:a-z/*\n ]{0,40}") {
            let _ = (with(&text, &wanted(Host::Claude, "x")), without(&text));
        }
    }
}
