//! The plan of a render: all that decides its frames, for the journal and for the clip's metadata.

use std::path::PathBuf;

use candle_core::{Device, DeviceLocation};
use serde_json::{Value, json};

use super::job::Job;
use crate::detect::{PoseModel, PoseModelChoice};
use crate::error::Result;
use crate::inputs::content_hash;
use crate::inputs::reference::FileChoice;
use crate::pose::Camera;
use crate::render::pipeline::Pipeline;
use crate::render::settings::RenderSettings;

/// Two renders with equal plans give equal frames. `search` is what [`search`] says, `figure` the fingerprint of the figure that drafts
/// are made of.
///
/// # Errors
/// A file that cannot be read.
pub fn plan(
    job: &Job,
    settings: &RenderSettings,
    search: Value,
    pipeline: &Pipeline,
    frames: usize,
    figure: Option<&str>,
) -> Result<Value> {
    let hash = |path: &PathBuf| content_hash(path);
    let maybe = |path: &Option<PathBuf>| path.as_ref().map(hash).transpose();
    let choice = |choice: &FileChoice| match choice {
        FileChoice::File(path) => hash(path),
        FileChoice::Auto => Ok("auto".into()),
        FileChoice::None => Ok("none".into()),
        FileChoice::Itself => Ok("itself".into()),
    };
    let mut pose = search;
    pose["kind"] = json!(job.pose_settings.kind);
    pose["retarget"] = json!(job.pose_settings.retarget);
    pose["person"] = job.pose_settings.person.to_string().into();
    pose["fit"] = json!(job.fit);
    if job.pose_settings.camera != Camera::default() {
        pose["camera"] = job.pose_settings.camera.to_string().into();
    }
    let mut plan = json!({
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
        "weights": pipeline.weights.fingerprints()?,
        "device": kind_of(&pipeline.model.device),
        "dtype": pipeline.model.weight_dtype.as_str(),
        "features": features(),
    });
    if let Some(figure) = figure {
        plan["figure"] = figure.into();
    }
    Ok(plan)
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

/// The kind of a device: which one of several has rendered a frame is not seen in it.
fn kind_of(device: &Device) -> &'static str {
    match device.location() {
        DeviceLocation::Cpu => "cpu",
        DeviceLocation::Cuda { .. } => "cuda",
        DeviceLocation::Metal { .. } => "metal",
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
