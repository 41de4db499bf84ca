//! JSON of any length, entry by entry: values are only made of one entry at a time, and of not too long a one.

use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

use super::value::{Parsed, Problem, shown};

/// Longest entry of a list, or value of an object, in bytes: hundreds of people with hands and face.
const MAX_ENTRY: usize = 4 << 20;
/// Most keys of an object.
const MAX_KEYS: usize = 1000;

/// Whether the text is that of a list.
pub(super) fn is_list(raw: &RawValue) -> bool {
    raw.get().starts_with('[')
}

/// The entries of a list, at most `most` of them.
pub(super) fn entries(raw: &RawValue, most: usize) -> Parsed<Vec<&RawValue>> {
    if !is_list(raw) {
        return Err(Problem::new(format!("{} is not a list", shown(&value(raw)?))));
    }
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Few(most).deserialize(&mut deserializer).map_err(|error| Problem::new(error.to_string()))
}

/// The keys of an object with their values; the last one of a key that is there twice counts.
pub(super) fn fields(raw: &RawValue) -> Parsed<Vec<(String, &RawValue)>> {
    let mut deserializer = serde_json::Deserializer::from_str(raw.get());
    Fields.deserialize(&mut deserializer).map_err(|error| Problem::new(error.to_string()))
}

/// Applies `parse` to the value of every entry, with its index as the place.
pub(super) fn each<T>(entries: &[&RawValue], parse: impl Fn(&Value) -> Parsed<T>) -> Parsed<Vec<T>> {
    let parse = |entry: &RawValue| parse(&value(entry)?);
    let numbered = entries.iter().enumerate();
    numbered.map(|(index, entry)| parse(entry).map_err(|p| p.within(format!("[{index}]")))).collect()
}

/// The value that a text says.
pub(super) fn value(raw: &RawValue) -> Parsed<Value> {
    let text = raw.get();
    if text.len() > MAX_ENTRY {
        return Err(Problem::new(format!(
            "{} bytes; at most {MAX_ENTRY} in one entry are allowed",
            text.len()
        )));
    }
    serde_json::from_str(text).map_err(|error| Problem::new(format!("not valid JSON: {error}")))
}

/// A list of so many entries at most.
struct Few(usize);

impl<'de> DeserializeSeed<'de> for Few {
    type Value = Vec<&'de RawValue>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Few {
    type Value = Vec<&'de RawValue>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = list.next_element()? {
            if entries.len() == self.0 {
                return Err(A::Error::custom(format_args!(
                    "more than {} entries, which is the most allowed",
                    self.0
                )));
            }
            entries.push(entry);
        }
        Ok(entries)
    }
}

struct Fields;

impl<'de> DeserializeSeed<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Fields {
    type Value = Vec<(String, &'de RawValue)>;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut fields: Self::Value = Vec::new();
        let mut read = 0;
        while let Some((key, value)) = map.next_entry::<String, &RawValue>()? {
            fields.retain(|(known, _)| *known != key);
            // Repeated keys count, too.
            read += 1;
            if read > MAX_KEYS {
                return Err(A::Error::custom(format_args!(
                    "more than {MAX_KEYS} keys, which is the most allowed"
                )));
            }
            fields.push((key, value));
        }
        Ok(fields)
    }
}

/// Checks that the text is one JSON value, without making anything of it.
pub(super) fn check(text: &[u8]) -> serde_json::Result<&RawValue> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let raw = <&RawValue>::deserialize(&mut deserializer)?;
    deserializer.end()?;
    Ok(raw)
}
