//! The journal of a render: its plan and every finished frame, on disk, so that nothing finished is ever lost.
//!
//! A folder beside the output holds `plan.json`, and for each frame `000000.latent` (safetensors) and then `000000.png`;
//! where frames look back at their predecessor's trajectory, `000000.trajectory` (safetensors) for the last one.
//! Each file is written under a temporary name, synced and renamed; a frame is finished once its picture is there.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{TEMPORARY_PREFIX, write_atomically};
use crate::render::animator::Rendered;
use crate::render::trajectory::TrajectoryTensors;

/// The finished frames of one render. A journal that is dropped without any leaves nothing behind.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    finished: usize,
    closed: bool,
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

    /// Whether `folder` is the journal of a render that has not come to its end.
    fn is_unfinished(folder: &Path) -> bool {
        folder.join(PLAN).exists()
    }

    /// The outputs that the unfinished render of this journal may have left under their final names: taken up again,
    /// it may replace them.
    pub fn published(folder: &Path) -> Vec<PathBuf> {
        let list = fs::read(folder.join(PUBLISHED)).ok();
        list.and_then(|list| serde_json::from_slice(&list).ok()).unwrap_or_default()
    }

    /// Notes in the journal in `folder` the full names of the render's outputs, before any of them appears.
    pub fn publish(folder: &Path, outputs: &[PathBuf]) -> Result<()> {
        let path = folder.join(PUBLISHED);
        let mut all = Self::published(folder);
        all.extend(outputs.iter().filter(|output| !all.contains(output)).cloned().collect::<Vec<_>>());
        let list = serde_json::to_vec(&all).map_err(|error| Error::output(&path, error.to_string()))?;
        write_atomically(&path, &list)
    }

    /// Whether `folder` holds pictures that a finished render has kept.
    pub fn holds_kept_frames(folder: &Path) -> bool {
        !Self::is_unfinished(folder) && picture_path(folder, 0).exists()
    }

    /// Opens the journal in `folder`, or begins one; pictures kept by a finished render are then removed. `plan` is a
    /// JSON object of all that decides the frames.
    ///
    /// # Errors
    /// [`Error::Plan`] if the folder holds frames of another plan; [`Error::Io`]; [`Error::Output`] while another
    /// render has it open.
    pub fn open(folder: &Path, plan: &Value) -> Result<Self> {
        fs::create_dir_all(folder).map_err(|error| Error::io(folder, error))?;
        let lock = lock(folder)?;
        let mut journal = Self { folder: folder.to_path_buf(), finished: 0, closed: false, _lock: lock };
        let plan_path = folder.join(PLAN);
        let text =
            serde_json::to_vec_pretty(plan).map_err(|error| Error::output(&plan_path, error.to_string()))?;
        if plan_path.exists() {
            while picture_path(folder, journal.finished).exists()
                && latent_path(folder, journal.finished).exists()
            {
                journal.finished += 1;
            }
        }
        if journal.finished > 0 {
            let differences = differences(&read_plan(&plan_path)?, plan);
            if !differences.is_empty() {
                return Err(Error::Plan { path: folder.to_path_buf(), differences });
            }
            return Ok(journal);
        }
        // What is left of other renders must not be taken for frames of this one.
        journal.remove(|kind| matches!(kind, OwnFile::Picture | OwnFile::Other))?;
        write_atomically(&plan_path, &text)?;
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
        if let Some(trajectory) = &frame.trajectory {
            let path = self.trajectory_path(self.finished);
            let bytes = safetensors::serialize(trajectory, None);
            write_atomically(&path, &bytes.map_err(|error| Error::output(&path, error.to_string()))?)?;
        }
        let picture_path = self.picture_path(self.finished);
        write_atomically(&picture_path, &picture_to_bytes(&picture_path, &frame.image)?)?;
        self.finished += 1;
        self.remove_trajectory_before(self.finished - 1)
    }

    /// Only the last finished frame's is looked back at.
    fn remove_trajectory_before(&self, frame: usize) -> Result<()> {
        let Some(before) = frame.checked_sub(1) else { return Ok(()) };
        let path = self.trajectory_path(before);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(&path, error)),
            _ => Ok(()),
        }
    }

    /// Keeps the poses that were found in a video, for when the render goes on.
    pub fn keep_poses(&self, bytes: &[u8]) -> Result<()> {
        write_atomically(&self.folder.join(POSES), bytes)
    }

    /// The poses that the journal in `folder` keeps.
    pub fn kept_poses(folder: &Path) -> Option<Vec<u8>> {
        fs::read(folder.join(POSES)).ok()
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

    /// The trajectory of the last finished frame, on the CPU.
    pub fn trajectory(&self, frame: usize) -> Result<TrajectoryTensors> {
        let path = self.trajectory_path(frame);
        let lost = |problem| {
            let all = "delete the folder to render all frames again";
            Error::input(&path, format!("{problem}; the frames before it have no trajectory any more: {all}"))
        };
        let bytes = fs::read(&path).map_err(|error| lost(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| lost(error.to_string()))?;
        Ok(tensors.into_iter().collect())
    }

    /// Removes the journal once its frames are safe elsewhere; with `keep_pictures`, all but the pictures.
    pub fn close(mut self, keep_pictures: bool) -> Result<()> {
        self.closed = true;
        // Without a plan, a journal that is removed by half is not resumed.
        self.remove(|kind| kind == OwnFile::Plan)?;
        self.remove(|kind| kind != OwnFile::Picture || !keep_pictures)?;
        if keep_pictures { Ok(()) } else { self.remove_folder() }
    }

    /// Removes the journal's files of some kinds; files that the journal did not write stay.
    fn remove(&self, kinds: impl Fn(OwnFile) -> bool) -> Result<()> {
        let entries = fs::read_dir(&self.folder).map_err(|error| Error::io(&self.folder, error))?;
        for entry in entries {
            let entry = entry.map_err(|error| Error::io(&self.folder, error))?;
            if own_file(&entry.file_name()).is_some_and(&kinds) {
                let path = entry.path();
                fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
            }
        }
        Ok(())
    }

    fn remove_folder(&self) -> Result<()> {
        match fs::remove_dir(&self.folder) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => Err(Error::io(&self.folder, error)),
            _ => Ok(()),
        }
    }

    fn picture_path(&self, frame: usize) -> PathBuf {
        picture_path(&self.folder, frame)
    }

    fn latent_path(&self, frame: usize) -> PathBuf {
        latent_path(&self.folder, frame)
    }

    fn trajectory_path(&self, frame: usize) -> PathBuf {
        self.folder.join(format!("{frame:06}.trajectory"))
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        if !self.closed && self.finished == 0 {
            // The error that led here is the one to tell.
            let _ = self.remove(|_| true).and_then(|()| self.remove_folder());
        }
    }
}

const PLAN: &str = "plan.json";
const LOCK: &str = "lock";
const PUBLISHED: &str = "published.json";
const POSES: &str = "poses.safetensors";

/// What a file in the folder is to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnFile {
    Plan,
    Lock,
    Picture,
    /// Latents, trajectories, and files that were not completed.
    Other,
}

fn own_file(name: &OsStr) -> Option<OwnFile> {
    let name = name.to_str()?;
    let is_numbered = |stem: &str| stem.len() >= 6 && stem.bytes().all(|byte| byte.is_ascii_digit());
    match (name, name.rsplit_once('.')) {
        (PLAN, _) => Some(OwnFile::Plan),
        (LOCK, _) => Some(OwnFile::Lock),
        (PUBLISHED | POSES, _) => Some(OwnFile::Other),
        (_, Some((stem, "png"))) if is_numbered(stem) => Some(OwnFile::Picture),
        (_, Some((stem, "latent" | "trajectory"))) if is_numbered(stem) => Some(OwnFile::Other),
        _ => name.starts_with(TEMPORARY_PREFIX).then_some(OwnFile::Other),
    }
}

fn picture_path(folder: &Path, frame: usize) -> PathBuf {
    folder.join(format!("{frame:06}.png"))
}

fn latent_path(folder: &Path, frame: usize) -> PathBuf {
    folder.join(format!("{frame:06}.latent"))
}

/// The lock of a journal, held as long as the file is open.
fn lock(folder: &Path) -> Result<File> {
    let path = folder.join(LOCK);
    let file = File::create(&path).map_err(|error| Error::io(&path, error))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::output(folder, "another render is writing here")),
        // Some network file systems have no locks.
        Err(TryLockError::Error(error)) if error.kind() == ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(error)) => Err(Error::io(&path, error)),
    }
}

fn damaged(path: &Path, problem: String) -> Error {
    Error::input(path, format!("{problem}; delete it and all later frames to render them again"))
}

fn read_plan(path: &Path) -> Result<Value> {
    let text = fs::read(path).map_err(|error| Error::io(path, error))?;
    let unreadable = |error| format!("{error}; delete the folder to render all frames again");
    serde_json::from_slice(&text).map_err(|error| Error::input(path, unreadable(error)))
}

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
