//! The journal of a render: its plan and every finished frame, on disk, so that nothing finished is ever lost.
//!
//! A folder beside the output holds `plan.json`, and for each frame `000000.latent` (safetensors) and then `000000.png`;
//! where frames look back at their predecessor's trajectory, `000000.trajectory` (safetensors) for the last one.
//! Each file is written whole; a frame is finished once its picture is there. The plan says how many frames there are: files of
//! these numbers are the journal's own, and no others are ever removed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use image::RgbImage;
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files::{read, read_picture};
use crate::outputs::{disk, png, remove_parts, there_already, write_png, write_whole};
use crate::plan::differences;
use crate::render::animator::Rendered;
use crate::render::trajectory::TrajectoryTensors;

/// The finished frames of one render. A journal that is dropped without any leaves nothing behind. Whoever opens it has to keep
/// other processes away, by a [`Reservation`](crate::outputs::Reservation) of the render's output.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
    finished: usize,
    closed: bool,
}

/// What a folder holds.
enum Found {
    /// Nothing that could be taken for a journal's.
    Nothing,
    /// Pictures that a finished render has kept.
    Kept,
    /// A journal with this plan.
    Journal(Value),
}

impl Journal {
    /// The journal's folder for an output: `out.mp4.frames`.
    pub fn folder_for(output: &Path) -> PathBuf {
        let mut name = output.file_name().unwrap_or_default().to_os_string();
        name.push(".frames");
        output.with_file_name(name)
    }

    /// What the picture of a frame is called in the folder.
    pub fn picture_name(frame: usize) -> String {
        format!("{frame:06}.png")
    }

    /// Refuses a folder that holds anything a journal would write over and is not its own: kept pictures may be replaced if
    /// `overwrite` says so, files of others never.
    ///
    /// # Errors
    /// [`Error::Output`] with the name of the first such file; [`Error::Io`].
    pub fn check(folder: &Path, overwrite: bool) -> Result<()> {
        look(folder, overwrite).map(drop)
    }

    /// The [`Error::Plan`] of a folder that holds finished frames of another plan; `None` for any other.
    pub fn of_other_plan(folder: &Path, plan: &Value) -> Option<Error> {
        let Ok(Found::Journal(earlier)) = look(folder, false) else { return None };
        let differences = differences(&earlier, plan);
        let has_frames = own_files(folder, frames_of(&earlier)).is_ok_and(|files| {
            files.iter().any(|(kind, _)| matches!(kind, OwnFile::Picture | OwnFile::Latent))
        });
        let other = has_frames && !differences.is_empty();
        other.then(|| Error::Plan { path: folder.to_path_buf(), differences })
    }

    /// Opens the journal in `folder`, or begins one. `plan` is a JSON object of all that decides the frames, of which `frames` is the
    /// number. With `overwrite`, pictures kept by a finished render and a journal with another plan are removed.
    ///
    /// # Errors
    /// [`Error::Plan`] if the folder holds frames of another plan; [`Error::Io`]; those of [`check`](Self::check).
    pub fn open(folder: &Path, plan: &Value, overwrite: bool) -> Result<Self> {
        if let Some(error) = Self::of_other_plan(folder, plan).filter(|_| !overwrite) {
            return Err(error);
        }
        let found = look(folder, overwrite)?;
        disk::create_folder(folder).map_err(|error| Error::io(folder, error))?;
        let mut journal = Self { folder: folder.to_path_buf(), finished: 0, closed: false };
        match found {
            Found::Nothing => {}
            Found::Kept => remove_own(folder, usize::MAX, |kind| kind == OwnFile::Picture)?,
            Found::Journal(earlier) => {
                if differences(&earlier, plan).is_empty() {
                    journal.finished = count_finished(folder);
                }
                if journal.finished > 0 {
                    return Ok(journal);
                }
                remove_own(folder, frames_of(&earlier), |kind| kind != OwnFile::Plan)?;
            }
        }
        let path = folder.join(PLAN);
        let text =
            serde_json::to_vec_pretty(plan).map_err(|error| Error::output(&path, error.to_string()))?;
        write_whole(&path, &text)?;
        Ok(journal)
    }

    /// Removes what is left of a journal whose frames are safe elsewhere; with `keep_pictures`, all but the pictures. Where nothing
    /// is left, nothing happens.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn tidy_up(folder: &Path, keep_pictures: bool) -> Result<()> {
        if !folder.is_dir() {
            return Ok(());
        }
        let plan = folder.join(PLAN);
        if plan.is_file() {
            let frames = frames_of(&read_plan(&plan)?);
            remove_own(folder, frames, |kind| match kind {
                OwnFile::Plan => false,
                OwnFile::Picture => !keep_pictures,
                OwnFile::Latent | OwnFile::Other => true,
            })?;
            // The plan says what is to be removed, so it goes last.
            disk::remove_file(&plan).map_err(|error| Error::io(&plan, error))?;
        }
        remove_folder(folder)
    }

    /// How many frames, from the first on, are finished in a folder, whoever renders them.
    pub fn finished_in(folder: &Path) -> usize {
        count_finished(folder)
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
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn push(&mut self, frame: &Rendered) -> Result<()> {
        let latent_path = self.latent_path(self.finished);
        write_whole(&latent_path, &latent_to_bytes(&latent_path, &frame.latent)?)?;
        if let Some(trajectory) = &frame.trajectory {
            let path = self.trajectory_path(self.finished);
            let bytes = safetensors::serialize(trajectory, None);
            write_whole(&path, &bytes.map_err(|error| Error::output(&path, error.to_string()))?)?;
        }
        let picture_path = self.picture_path(self.finished);
        write_png(&picture_path, &frame.image)?;
        self.finished += 1;
        self.remove_trajectory_before(self.finished - 1)
    }

    /// Only the last finished frame's is looked back at.
    fn remove_trajectory_before(&self, frame: usize) -> Result<()> {
        let Some(before) = frame.checked_sub(1) else { return Ok(()) };
        let path = self.trajectory_path(before);
        disk::remove_file(&path).map_err(|error| Error::io(&path, error))
    }

    /// Keeps the poses that were found in a video, for when the render goes on.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn keep_poses(&self, bytes: &[u8]) -> Result<()> {
        write_whole(&self.folder.join(POSES), bytes)
    }

    /// The poses that the journal in `folder` keeps.
    pub fn kept_poses(folder: &Path) -> Option<Vec<u8>> {
        read(&folder.join(POSES), MAX_BYTES).ok()
    }

    /// The picture of a finished frame.
    ///
    /// # Errors
    /// [`Error::Input`] for one that is damaged; [`Error::Io`].
    pub fn picture(&self, frame: usize) -> Result<RgbImage> {
        let path = self.picture_path(frame);
        let image = read_picture(&path).map_err(|error| match error {
            Error::Input { problem, .. } => damaged(&path, problem),
            other => other,
        })?;
        Ok(image.into_rgb8())
    }

    /// The latent of a finished frame, on the CPU.
    ///
    /// # Errors
    /// [`Error::Input`] for one that is damaged; [`Error::Io`].
    pub fn latent(&self, frame: usize) -> Result<Tensor> {
        let path = self.latent_path(frame);
        let bytes = read(&path, MAX_BYTES)?;
        let mut tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| damaged(&path, error.to_string()))?;
        tensors.remove("latent").ok_or_else(|| damaged(&path, "holds no latent".into()))
    }

    /// The trajectory of the last finished frame, on the CPU.
    ///
    /// # Errors
    /// [`Error::Input`] for one that is missing or damaged.
    pub fn trajectory(&self, frame: usize) -> Result<TrajectoryTensors> {
        let path = self.trajectory_path(frame);
        let lost = |problem| {
            let all = "delete the folder to render all frames again";
            Error::input(&path, format!("{problem}; the frames before it have no trajectory any more: {all}"))
        };
        let bytes = read(&path, MAX_BYTES).map_err(|error| lost(error.to_string()))?;
        let tensors = candle_core::safetensors::load_buffer(&bytes, &Device::Cpu)
            .map_err(|error| lost(error.to_string()))?;
        Ok(tensors.into_iter().collect())
    }

    /// Removes the journal once its frames are safe elsewhere; with `keep_pictures`, all but the pictures.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn close(mut self, keep_pictures: bool) -> Result<()> {
        self.closed = true;
        Self::tidy_up(&self.folder, keep_pictures)
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
            let _ = Self::tidy_up(&self.folder, false);
        }
    }
}

/// Longest file of latents, trajectories or poses that is read.
const MAX_BYTES: u64 = 1 << 32;
/// Longest plan that is read.
const MAX_PLAN_BYTES: u64 = 1 << 26;
const PLAN: &str = "plan.json";
const POSES: &str = "poses.safetensors";

/// What a file in the folder is to the journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum OwnFile {
    Plan,
    Picture,
    Latent,
    /// Trajectories and poses.
    Other,
}

/// What the name of a file means to a journal of so many frames.
fn own_file(name: &OsStr, frames: usize) -> Option<OwnFile> {
    let name = name.to_str()?;
    let is_numbered = |stem: &str| {
        stem.parse().is_ok_and(|number: usize| number < frames && format!("{number:06}") == stem)
    };
    match (name, name.rsplit_once('.')) {
        (PLAN, _) => Some(OwnFile::Plan),
        (POSES, _) => Some(OwnFile::Other),
        (_, Some((stem, "png"))) if is_numbered(stem) => Some(OwnFile::Picture),
        (_, Some((stem, "latent"))) if is_numbered(stem) => Some(OwnFile::Latent),
        (_, Some((stem, "trajectory"))) if is_numbered(stem) => Some(OwnFile::Other),
        _ => None,
    }
}

/// The files in a folder that are called as a journal's of so many frames.
fn own_files(folder: &Path, frames: usize) -> Result<Vec<(OwnFile, PathBuf)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(|error| Error::io(folder, error))? {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        files.extend(own_file(&entry.file_name(), frames).map(|kind| (kind, entry.path())));
    }
    files.sort_by(|(_, one), (_, other)| one.cmp(other));
    Ok(files)
}

fn look(folder: &Path, overwrite: bool) -> Result<Found> {
    if !folder.is_dir() {
        return match folder.symlink_metadata() {
            Ok(facts) if facts.is_symlink() => {
                Err(Error::output(folder, "is a link to nothing; the frames go there"))
            }
            Ok(_) => Err(Error::output(folder, "is no folder; the frames go into one of that name")),
            Err(_) => Ok(Found::Nothing),
        };
    }
    let plan = folder.join(PLAN);
    if plan.exists() {
        return read_plan(&plan).map(Found::Journal);
    }
    let files = own_files(folder, usize::MAX)?;
    let is_kept = |(kind, path): &(OwnFile, PathBuf)| *kind == OwnFile::Picture && png::is_own(path);
    match files.iter().find(|file| !is_kept(file)) {
        Some((_, other)) => {
            let problem = "is no frame of this program; the frames go where it lies: move it away, or choose another output";
            Err(Error::output(other, problem))
        }
        None if files.is_empty() => Ok(Found::Nothing),
        None if overwrite => Ok(Found::Kept),
        None => Err(there_already(folder)),
    }
}

/// Removes files of some kinds, of a journal of so many frames.
fn remove_own(folder: &Path, frames: usize, kinds: impl Fn(OwnFile) -> bool) -> Result<()> {
    for (kind, path) in own_files(folder, frames)? {
        if kinds(kind) {
            disk::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        }
    }
    remove_parts(folder)
}

/// Removes the folder, if it is one, not a link to one, and empty.
fn remove_folder(folder: &Path) -> Result<()> {
    let is_folder = folder.symlink_metadata().is_ok_and(|facts| facts.is_dir());
    if is_folder {
        disk::remove_empty_folder(folder).map_err(|error| Error::io(folder, error))
    } else {
        Ok(())
    }
}

/// How many frames are finished, from the first on.
fn count_finished(folder: &Path) -> usize {
    let is_finished =
        |frame: &usize| picture_path(folder, *frame).exists() && latent_path(folder, *frame).exists();
    (0..).take_while(is_finished).count()
}

fn frames_of(plan: &Value) -> usize {
    plan["frames"].as_u64().unwrap_or(0) as usize
}

fn picture_path(folder: &Path, frame: usize) -> PathBuf {
    folder.join(Journal::picture_name(frame))
}

fn latent_path(folder: &Path, frame: usize) -> PathBuf {
    folder.join(format!("{frame:06}.latent"))
}

fn damaged(path: &Path, problem: String) -> Error {
    Error::input(path, format!("{problem}; delete it and all later frames to render them again"))
}

fn read_plan(path: &Path) -> Result<Value> {
    let text = read(path, MAX_PLAN_BYTES)?;
    let problem = "is no plan of a render; move it away, or choose another output";
    let plan: Option<Value> = serde_json::from_slice(&text).ok();
    plan.filter(|plan| plan.get("dreamtuner").is_some()).ok_or_else(|| Error::output(path, problem))
}

fn latent_to_bytes(path: &Path, latent: &Tensor) -> Result<Vec<u8>> {
    let latent = latent.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.contiguous()?;
    safetensors::serialize([("latent", &latent)], None)
        .map_err(|error| Error::output(path, error.to_string()))
}
