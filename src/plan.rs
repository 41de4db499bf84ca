//! Plans: all that decides the results of long work, compared when it goes on.

use std::collections::BTreeMap;

use serde_json::Value;

/// One line for each value in which two plans differ.
pub(crate) fn differences(then: &Value, now: &Value) -> Vec<String> {
    let (then, now) = (flatten(then), flatten(now));
    let names = then.keys().chain(now.keys().filter(|name| !then.contains_key(*name)));
    names
        .filter(|name| then.get(*name) != now.get(*name))
        .map(|name| {
            let show =
                |plan: &BTreeMap<String, String>| plan.get(name).cloned().unwrap_or_else(|| "absent".into());
            format!("{name}: {} → {}", show(&then), show(&now))
        })
        .collect()
}

fn flatten(value: &Value) -> BTreeMap<String, String> {
    fn walk(name: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
        let below = |key: &str| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| walk(&below(key), value, flat)),
            Value::Array(items) => {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(index, value)| walk(&below(&index.to_string()), value, flat));
            }
            other => {
                flat.insert(name.to_string(), other.to_string());
            }
        }
    }
    let mut flat = BTreeMap::new();
    walk("", value, &mut flat);
    flat
}
