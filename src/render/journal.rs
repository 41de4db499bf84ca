//! The journal of a render: its plan and every finished frame, on disk, so that nothing finished is ever lost.
//!
//! A folder beside the output holds `plan.json`, and for each frame `000000.latent` (safetensors) and then `000000.png`.
//! Each file is written under a temporary name, synced and renamed; a frame is finished once its picture is there.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::render::animator::Rendered;

/// The finished frames of one render.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    finished: usize,
    /// Held while the journal is open, so that two renders do not write into one.
    _lock: File,
}

impl Journal {
    /// The journal's folder for an output: `out.mp4.frames`.
    pub fn folder_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_os_string();
        name.push(".frames");
        output.with_file_name(name)
    }

    /// Opens the journal in `folder`, or begins one. `plan` is a JSON object of all that decides the frames.
    ///
    /// # Errors
    /// [`Error::Plan`] if the folder holds frames of another plan; [`Error::Io`]; [`Error::Output`] while another
    /// render has it open.
    pub fn open(folder: &Path, plan: &Value) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let lock_path = folder.join("lock");
        let lock = File::create(&lock_path).map_err(|error| Error::io(&lock_path, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Error::output(folder, "another render is writing here"));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(&lock_path, error)),
        }
        let plan_path = folder.join("plan.json");
        if plan_path.exists() {
            let differences = differences(&read_plan(&plan_path)?, plan);
            if !differences.is_empty() {
                return Err(Error::Plan { path: folder.to_path_buf(), differences });
            }
        } else {
            let text = serde_json::to_vec_pretty(plan)
                .map_err(|error| Error::output(&plan_path, error.to_string()))?;
            write_atomically(&plan_path, &text)?;
        }
        let mut journal = Self { folder: folder.to_path_buf(), finished: 0, _lock: lock };
        while journal.picture_path(journal.finished).exists()
            && journal.latent_path(journal.finished).exists()
        {
            journal.finished += 1;
        }
        Ok(journal)
    }

    /// How many frames, from the first on, are finished.
    pub fn finished(&self) -> usize {
        self.finished
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Adds the next frame. When this returns, it survives the process and the machine.
    pub fn push(&mut self, frame: &Rendered) -> Result<()> {
        let latent_path = self.latent_path(self.finished);
        write_atomically(&latent_path, &latent_to_bytes(&latent_path, &frame.latent)?)?;
        let picture_path = self.picture_path(self.finished);
        write_atomically(&picture_path, &picture_to_bytes(&picture_path, &frame.image)?)?;
        self.finished += 1;
        Ok(())
    }

    /// The picture of a finished frame.
    pub fn picture(&self, frame: usize) -> Result<RgbImage> {
        let path = self.picture_path(frame);
        let bytes = fs::read(&path).map_err(|error| Error::io(&path, error))?;
        let image = image::load_from_memory_with_format(&bytes, image::ImageFormat::Png);
        image.map(|image| image.into_rgb8()).map_err(|error| damaged(&path, error.to_string()))
    }

    /// The latent of a finished frame, on the CPU.
    pub fn latent(&self, frame: usize) -> Result<Tensor> {
        let path = self.latent_path(frame);
        let bytes = fs::read(&path).map_err(|error| Error::io(&path, error))?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| damaged(&path, error.to_string()))?;
        tensors.remove("latent").ok_or_else(|| damaged(&path, "holds no latent".into()))
    }

    /// Removes the journal once its frames are safe elsewhere; with `keep_pictures`, all but the pictures.
    pub fn close(self, keep_pictures: bool) -> Result<()> {
        let fail = |error| Error::io(&self.folder, error);
        if !keep_pictures {
            return fs::remove_dir_all(&self.folder).map_err(fail);
        }
        for entry in fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_none_or(|extension| extension != "png") {
                fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        Ok(())
    }

    fn picture_path(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{frame:06}.png"))
    }

    fn latent_path(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{frame:06}.latent"))
    }
}

fn damaged(path: &Path, problem: String) -> Error {
    Error::input(path, format!("{problem}; delete it and all later frames to render them again"))
}

fn read_plan(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).map_err(|error| Error::io(path, error))?;
    serde_json::from_slice(&bytes).map_err(|error| damaged(path, error.to_string()))
}

/// One line for each value in which two plans differ.
fn differences(then: &Value, now: &Value) -> Vec<String> {
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

fn latent_to_bytes(path: &Path, latent: &Tensor) -> Result<Vec<u8>> {
    let latent = latent.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
    safetensors::serialize([("latent", &latent)], None)
        .map_err(|error| Error::output(path, error.to_string()))
}

fn picture_to_bytes(path: &Path, image: &RgbImage) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let encoder = PngEncoder::new_with_quality(&mut bytes, CompressionType::Fast, FilterType::Adaptive);
    image.write_with_encoder(encoder).map_err(|error| Error::output(path, error.to_string()))?;
    Ok(bytes)
}
