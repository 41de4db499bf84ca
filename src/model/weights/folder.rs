//! Which files of a folder hold a part's weights and configuration.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::tensor_file::{has_pickle_extension, pickle_problem};
use crate::error::{Error, Result};
use crate::files::read;

/// Largest JSON file that is read.
const MAX_JSON_BYTES: u64 = 64 << 20;
/// What diffusers and transformers call their weights.
const STEMS: [&str; 2] = ["diffusion_pytorch_model", "model"];
/// Variants in the order of preference.
const VARIANTS: [&str; 4] = ["", ".fp16", ".bf16", ".non_ema"];

/// A JSON object from a file.
///
/// # Errors
/// A file that is missing, larger than 64 MB, not JSON, or not an object.
pub(in crate::model) fn read_json(path: &Path) -> Result<Value> {
    let text = read(path, MAX_JSON_BYTES).map_err(Error::of_weights)?;
    let value: Value =
        serde_json::from_slice(&text).map_err(|error| Error::weights(path, format!("not JSON: {error}")))?;
    if value.is_object() { Ok(value) } else { Err(Error::weights(path, "is not a JSON object")) }
}

/// The safetensors files of a part's folder: one, or all shards.
///
/// # Errors
/// None there (with a word on converting where there are pickles instead), or a shard missing.
pub(super) fn weight_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let names = file_names(folder)?;
    for (stem, variant) in VARIANTS.iter().flat_map(|variant| STEMS.map(|stem| (stem, variant))) {
        let single = format!("{stem}{variant}.safetensors");
        if names.contains(&single) {
            return Ok(vec![folder.join(single)]);
        }
        let forms = [
            format!("{stem}.safetensors.index{variant}.json"),
            format!("{stem}{variant}.safetensors.index.json"),
        ];
        if let Some(index) = forms.iter().find(|index| names.contains(index)) {
            return from_index(folder, index, &names);
        }
        let shards = shards(folder, &names, stem, variant)?;
        if !shards.is_empty() {
            return Ok(shards);
        }
    }
    Err(no_weights(folder, &names))
}

fn no_weights(folder: &Path, names: &[String]) -> Error {
    let is_weights = |name: &&String| name.starts_with(STEMS[0]) || name.contains("model");
    let pickle = names.iter().filter(is_weights).find(|name| has_pickle_extension(Path::new(name)));
    if let Some(pickle) = pickle {
        let path = folder.join(pickle);
        return Error::weights(&path, pickle_problem(&path));
    }
    let known = STEMS.map(|stem| format!("{stem}.safetensors")).join(", ");
    Error::weights(folder, format!("holds no weights: none of {known}, an fp16 variant or shards of these"))
}

fn file_names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        names.push(entry.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// The shards that an index file names, each a plain file name in the same folder.
fn from_index(folder: &Path, index: &str, names: &[String]) -> Result<Vec<PathBuf>> {
    let path = folder.join(index);
    let json = read_json(&path)?;
    let map = json.get("weight_map").and_then(Value::as_object);
    let map = map.ok_or_else(|| Error::weights(&path, "has no object called weight_map"))?;
    let mut shards: Vec<&str> = map.values().filter_map(Value::as_str).collect();
    shards.sort_unstable();
    shards.dedup();
    if shards.is_empty() {
        return Err(Error::weights(&path, "weight_map names no files"));
    }
    match shards.iter().find(|shard| !names.iter().any(|name| name == *shard)) {
        Some(shard) => {
            Err(Error::weights(&path, format!("names the shard {shard}, which is not in the folder")))
        }
        None => Ok(shards.into_iter().map(|shard| folder.join(shard)).collect()),
    }
}

/// The shards `…-00001-of-0000N` of a folder without an index; all must be there.
fn shards(folder: &Path, names: &[String], stem: &str, variant: &str) -> Result<Vec<PathBuf>> {
    let number = |name: &str| -> Option<(usize, usize)> {
        let rest = name.strip_prefix(stem)?.strip_suffix(".safetensors")?;
        // The variant stands before or after the shard's number, depending on the version of diffusers.
        let rest = rest.strip_prefix(variant).or_else(|| rest.strip_suffix(variant))?;
        let (index, count) = rest.strip_prefix('-')?.split_once("-of-")?;
        Some((index.parse().ok()?, count.parse().ok()?))
    };
    let found: Vec<_> = names.iter().filter_map(|name| Some((number(name)?, name))).collect();
    let Some(&((_, count), _)) = found.first() else { return Ok(Vec::new()) };
    let complete = found.len() == count
        && found.iter().enumerate().all(|(place, &((index, total), _))| index == place + 1 && total == count);
    if !complete {
        let problem = format!("holds {} of {count} shards of {stem}{variant}", found.len());
        return Err(Error::weights(folder, problem));
    }
    Ok(found.into_iter().map(|(_, name)| folder.join(name)).collect())
}
