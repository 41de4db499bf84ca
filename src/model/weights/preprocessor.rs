//! How pictures are prepared for an image encoder.

use std::path::Path;

use serde::Deserialize;
use serde_json::Value;

use super::folder::read_json;
use crate::error::{Error, Result};
use crate::model::colours::ColourStatistics;

const FILE: &str = "preprocessor_config.json";

/// A `preprocessor_config.json`, or what is usual for CLIP where there is none.
#[derive(Debug, Clone, Default)]
pub struct Preprocessor {
    /// What colours are normalized by.
    pub colours: ColourStatistics,
    /// How pictures are scaled, as Pillow numbers its filters.
    pub resample: Option<u8>,
    json: Option<Value>,
}

#[derive(Deserialize)]
struct Scaling {
    resample: Option<u8>,
}

impl Preprocessor {
    /// Reads the file of a folder; `None` where there is none.
    ///
    /// # Errors
    /// A file that cannot be read, or values that are missing or out of range.
    pub(crate) fn in_folder(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.is_file() {
            return Ok(None);
        }
        Self::new(read_json(&path)?).map(Some).map_err(|problem| Error::weights(&path, problem))
    }

    /// From the contents of the file; what is wrong with them, in words.
    pub(super) fn new(json: Value) -> std::result::Result<Self, String> {
        let colours = ColourStatistics::deserialize(&json).map_err(|error| error.to_string())?;
        colours.check()?;
        let Scaling { resample } = Scaling::deserialize(&json).map_err(|error| error.to_string())?;
        Ok(Self { colours, resample, json: Some(json) })
    }

    /// The file's contents, for hashes; empty where there is none.
    pub(super) fn text(&self) -> String {
        self.json.as_ref().map(Value::to_string).unwrap_or_default()
    }
}
