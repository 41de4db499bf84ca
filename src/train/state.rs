//! What a training keeps on disk, so that it goes on exactly where it was cut off: one safetensors file, replaced as a whole.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use safetensors::SafeTensors;
use serde_json::{Value, json};

use super::adamw::AdamW;
use super::curve::Curve;
use crate::error::{Error, Result};
use crate::files::read;
use crate::outputs::write_whole;
use crate::plan::differences;

/// Where a training's state lies.
#[derive(Debug)]
pub struct StateFile {
    path: PathBuf,
    /// All that decides what the training comes to.
    plan: Value,
}

/// Longest file that is read.
const MAX_BYTES: u64 = 1 << 36;
/// What stands in the file's header besides the tensors' places.
const NOTES: &str = "training";

impl StateFile {
    /// The state of the training that `plan` describes, at `path`.
    pub fn new(path: PathBuf, plan: Value) -> Self {
        Self { path, plan }
    }

    fn damaged(&self, problem: String) -> Error {
        Error::input(&self.path, format!("{problem}; delete it to begin again"))
    }

    /// The file and its notes, if it is there.
    fn read(&self) -> Result<Option<(Vec<u8>, Value)>> {
        let damaged = |problem: String| self.damaged(problem);
        if !self.path.exists() {
            return Ok(None);
        }
        let bytes = read(&self.path, MAX_BYTES)?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|error| damaged(error.to_string()))?;
        let notes = header.metadata().as_ref().and_then(|notes| notes.get(NOTES));
        let notes = notes.ok_or_else(|| damaged("is no state of a training".into()))?;
        let notes: Value = serde_json::from_str(notes).map_err(|error| damaged(error.to_string()))?;
        let differences = differences(&notes["plan"], &self.plan);
        if !differences.is_empty() {
            return Err(Error::Plan { path: self.path.clone(), differences });
        }
        Ok(Some((bytes, notes)))
    }

    /// Brings the optimiser, and the curve, to where they were; nothing happens where there is no state yet.
    ///
    /// # Errors
    /// [`Error::Plan`] for the state of another training; a file that is damaged.
    pub fn restore(&self, optimizer: &mut AdamW, curve: &mut Curve) -> Result<()> {
        let Some((bytes, notes)) = self.read()? else { return Ok(()) };
        let damaged = |problem: String| self.damaged(problem);
        let steps = notes["steps"].as_u64().ok_or_else(|| damaged("does not say its steps".into()))?;
        let points = serde_json::from_value(notes["curve"].clone());
        *curve = points.map_err(|error| damaged(format!("curve: {error}")))?;
        let state = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| damaged(error.to_string()))?;
        optimizer.restore(&state, steps).map_err(|error| damaged(error.to_string()))
    }

    /// Writes the state.
    ///
    /// # Errors
    /// [`Error::Io`]; what was there before is kept then.
    pub fn save(&self, optimizer: &AdamW, curve: &Curve) -> Result<()> {
        let notes = json!({"plan": self.plan, "steps": optimizer.steps(), "curve": curve});
        let header = HashMap::from([(NOTES.to_owned(), notes.to_string())]);
        save_tensors(&self.path, optimizer.state(), Some(header))
    }
}

/// Refuses to go on where numbers have overflowed.
///
/// # Errors
/// A `loss` after `done` steps that is not finite.
pub fn check_finite(loss: f64, learning_rate: f64, done: u64) -> Result<()> {
    if loss.is_finite() {
        return Ok(());
    }
    let problem = format!(
        "{learning_rate}: after {done} steps the loss is no number any more; the last good state stays saved; a lower rate, under \
         another name, may help"
    );
    Err(Error::setting("learning-rate", problem))
}

/// Writes tensors as a safetensors file, as [`tensors_to_bytes`] has it.
///
/// # Errors
/// [`Error::Io`]; nothing is left under the file's name then but what was there before.
pub fn save_tensors(
    path: &Path,
    tensors: HashMap<String, Tensor>,
    header: Option<HashMap<String, String>>,
) -> Result<()> {
    write_whole(path, &tensors_to_bytes(path, tensors, header)?)
}

/// Tensors as a safetensors file, `path`, in alphabetical order: the same tensors give the same bytes.
///
/// # Errors
/// [`Error::Output`]; failures of the device.
pub fn tensors_to_bytes(
    path: &Path,
    tensors: HashMap<String, Tensor>,
    header: Option<HashMap<String, String>>,
) -> Result<Vec<u8>> {
    let mut tensors: Vec<(String, Tensor)> = tensors
        .into_iter()
        .map(|(name, tensor)| Ok((name, tensor.to_device(&Device::Cpu)?.contiguous()?)))
        .collect::<Result<_>>()?;
    tensors.sort_by(|(a, _), (b, _)| a.cmp(b));
    let views = tensors.iter().map(|(name, tensor)| (name, tensor));
    safetensors::serialize(views, header).map_err(|error| Error::output(path, error.to_string()))
}
