//! The plan of a render: all that decides its frames, for the journal and for the clip's metadata.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::job::Job;
use super::pose_source::holds_json;
use super::reference_input::FileChoice;
use crate::detect::{PoseModel, PoseModelChoice};
use crate::error::{Error, Result};
use crate::render::settings::RenderSettings;
use crate::video::ImageReader;

/// Two renders with equal plans give equal frames. `search` is what [`search`] says, `weights` are the fingerprints of the
/// weights.
///
/// # Errors
/// A file that cannot be read.
pub fn plan(
    job: &Job,
    settings: &RenderSettings,
    search: Value,
    weights: Value,
    frames: usize,
) -> Result<Value> {
    let hash = |path: &PathBuf| content_hash(path);
    let maybe = |path: &Option<PathBuf>| path.as_ref().map(hash).transpose();
    let choice = |choice: &FileChoice| match choice {
        FileChoice::File(path) => hash(path),
        FileChoice::Auto => Ok("auto".into()),
        FileChoice::None => Ok("none".into()),
    };
    let mut pose = search;
    pose["kind"] = json!(job.pose_settings.kind);
    pose["retarget"] = json!(job.pose_settings.retarget);
    pose["person"] = job.pose_settings.person.to_string().into();
    pose["fit"] = json!(job.fit);
    Ok(json!({
        "dreamtuner": env!("CARGO_PKG_VERSION"),
        "frames": frames,
        "settings": settings,
        "reference": {
            "picture": hash(&job.reference.picture)?,
            "mask": choice(&job.reference.mask)?,
            "controls": job.reference.controls.iter().map(choice).collect::<Result<Vec<_>>>()?,
        },
        "pose": pose,
        "control_videos": job.control_videos.iter().map(maybe).collect::<Result<Vec<_>>>()?,
        "noise": maybe(&job.noise)?,
        "weights": weights,
        "device": format!("{:?}", job.device.location()),
        "dtype": job.dtype.as_str(),
        "features": features(),
    }))
}

/// All that decides which poses are found in the dance.
///
/// # Errors
/// A file that cannot be read.
pub fn search(job: &Job) -> Result<Value> {
    let decode = &job.pose_settings.decode;
    Ok(json!({
        "file": content_hash(&job.pose)?,
        "model": pose_model(&job.pose_settings.model)?,
        "start": decode.start,
        "end": decode.end,
        "fps": decode.frames_per_second,
    }))
}

/// The name of a network inside the program, or the hashes of the user's.
fn pose_model(model: &PoseModel) -> Result<String> {
    match model.choice() {
        PoseModelChoice::MoveNet(_) => Ok(model.to_string()),
        PoseModelChoice::File(_) => {
            let hashes = model.files()?.iter().map(|file| content_hash(file)).collect::<Result<Vec<_>>>()?;
            Ok(hashes.join(" "))
        }
    }
}

/// The features of this build that choose how numbers are computed.
fn features() -> Vec<&'static str> {
    let all = [
        ("cuda", cfg!(feature = "cuda")),
        ("cudnn", cfg!(feature = "cudnn")),
        ("flash-attn", cfg!(feature = "flash-attn")),
        ("metal", cfg!(feature = "metal")),
        ("accelerate", cfg!(feature = "accelerate")),
        ("mkl", cfg!(feature = "mkl")),
    ];
    all.into_iter().filter_map(|(name, on)| on.then_some(name)).collect()
}

/// A hash of a file's bytes, or of the names and bytes of the pictures and JSON files in a folder.
pub(crate) fn content_hash(path: &Path) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    let fail = |path: &Path, error| Error::io(path, error);
    if path.is_dir() {
        let entries =
            std::fs::read_dir(path).and_then(|entries| entries.collect::<std::io::Result<Vec<_>>>());
        let mut files: Vec<PathBuf> =
            entries.map_err(|error| fail(path, error))?.iter().map(|entry| entry.path()).collect();
        files.retain(|file| file.is_file() && (holds_json(file) || ImageReader::is_picture(file)));
        files.sort();
        for file in files {
            hasher.update(file.file_name().unwrap_or_default().as_encoded_bytes());
            hasher.update_mmap_rayon(&file).map_err(|error| fail(&file, error))?;
        }
    } else {
        hasher.update_mmap_rayon(path).map_err(|error| fail(path, error))?;
    }
    Ok(hasher.finalize().to_hex()[..16].to_string())
}
