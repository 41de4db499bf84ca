//! A table of clips: TOML, whose combinations are made, or CSV with a clip in each line. What stands in it are options of `animate`.

use std::path::Path;

use dreamtuner::files::{parse_options, read_text};
use dreamtuner::{Error, Result};
use toml::{Table, Value};

/// Longest table that is read.
const MAX_BYTES: u64 = 1 << 26;
/// Most clips of a batch.
const MOST_CLIPS: usize = 100_000;
/// The key of options of which every combination is a clip.
const EACH: &str = "each";
/// The key of clips one by one.
const CLIPS: &str = "clips";

/// The options of each clip in the table `path`, with its `output` filled in. What the table does not say is as in `shared`.
///
/// # Errors
/// A table that cannot be read, or holds no clip or too many; names of outputs that are missing, cannot be filled in, or the same.
pub fn clips(path: &Path, shared: &Table) -> Result<Vec<Table>> {
    let text = read_text(path, MAX_BYTES)?;
    let is_csv = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv"));
    let rows = if is_csv { of_csv(path, &text)? } else { of_toml(path, &text)? };
    let with_shared = |row: Table| shared.clone().into_iter().chain(row).collect::<Table>();
    let mut clips: Vec<Table> = rows.into_iter().map(with_shared).collect();
    let mut outputs = std::collections::HashSet::new();
    for clip in &mut clips {
        let output = filled(path, clip)?;
        if !outputs.insert(output.clone()) {
            let problem = format!("output {output}: of two clips; {{seed}}, for example, tells them apart");
            return Err(Error::input(path, problem));
        }
        clip.insert("output".into(), output.into());
    }
    Ok(clips)
}

fn of_csv(path: &Path, text: &str) -> Result<Vec<Table>> {
    let fail = |error: csv::Error| Error::input(path, error.to_string());
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let names: Vec<String> = reader.headers().map_err(fail)?.iter().map(String::from).collect();
    let row = |record: csv::StringRecord| {
        let given = names.iter().zip(record.iter()).filter(|(_, value)| !value.is_empty());
        given.map(|(name, value)| (name.clone(), Value::from(value))).collect()
    };
    let rows = reader.records().take(MOST_CLIPS + 1).map(|record| record.map(row).map_err(fail));
    counted(path, rows.collect::<Result<_>>()?)
}

fn of_toml(path: &Path, text: &str) -> Result<Vec<Table>> {
    let mut table = parse_options(path, text)?;
    let form = |what: &str| Error::input(path, format!("{what} is not of the form that docs/farm.md shows"));
    let each = match table.remove(EACH) {
        None => Table::new(),
        Some(Value::Table(each)) => each,
        Some(_) => return Err(form("[each]")),
    };
    let rows = match table.remove(CLIPS) {
        None if each.is_empty() => return Err(Error::input(path, "holds neither [each] nor [[clips]]")),
        None => vec![Table::new()],
        Some(Value::Array(clips)) => {
            let as_table = |clip| if let Value::Table(clip) = clip { Some(clip) } else { None };
            clips.into_iter().map(as_table).collect::<Option<Vec<_>>>().ok_or_else(|| form("[[clips]]"))?
        }
        Some(_) => return Err(form("[[clips]]")),
    };
    let mut rows: Vec<Table> =
        rows.into_iter().map(|row| table.clone().into_iter().chain(row).collect()).collect();
    for (name, values) in each {
        let Value::Array(values) = values else { return Err(form(&format!("{name} of [each]"))) };
        if rows.len().saturating_mul(values.len()) > MOST_CLIPS {
            return counted(path, vec![Table::new(); MOST_CLIPS + 1]);
        }
        let with = |row: &Table, value: &Value| {
            let mut row = row.clone();
            row.insert(name.clone(), value.clone());
            row
        };
        rows = rows.iter().flat_map(|row| values.iter().map(move |value| with(row, value))).collect();
    }
    counted(path, rows)
}

fn counted(path: &Path, rows: Vec<Table>) -> Result<Vec<Table>> {
    match rows.len() {
        0 => Err(Error::input(path, "holds no clip")),
        1..=MOST_CLIPS => Ok(rows),
        _ => Err(Error::input(path, format!("holds more than {MOST_CLIPS} clips"))),
    }
}

/// A clip's output, in which `{name}` is what the clip has for that option: of a file its name without folder and ending.
fn filled(path: &Path, clip: &Table) -> Result<String> {
    let Some(Value::String(form)) = clip.get("output") else {
        return Err(Error::input(path, "output: each clip needs one, such as out/{reference}-{pose}.mp4"));
    };
    let (mut filled, mut rest) = (String::new(), form.as_str());
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| Error::input(path, format!("output {form}: a {{ without its }}")))?;
        let value = clip.get(name).filter(|_| name != "output").and_then(short);
        let value = value.ok_or_else(|| {
            let known: Vec<&str> = clip.keys().map(String::as_str).filter(|name| *name != "output").collect();
            let known = known.join(", ");
            Error::input(path, format!("output {form}: {{{name}}} is not given; there are {known}"))
        })?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    Ok(filled + rest)
}

fn short(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => {
            let name = Path::new(text.trim_end_matches('/')).file_stem()?.to_str()?;
            Some(if text.contains(['/', '.']) { name.to_owned() } else { text.clone() })
        }
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
