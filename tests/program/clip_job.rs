//! A short clip by the library.

use std::path::{Path, PathBuf};
use std::process::Command;

use dreamtuner::animate::Job;
use dreamtuner::inputs::reference::FileChoice;
use dreamtuner::model::DeviceSettings;
use dreamtuner::model::weights::ModelDefaults;
use dreamtuner::render::pipeline_source::PipelineSource;
use dreamtuner::render::settings::RenderSettings;
use dreamtuner::render::weights::WeightFiles;

use crate::support::words;

/// Three frames of a dance, as pose JSON.
pub fn dance(folder: &Path, name: &str) -> PathBuf {
    let poses = folder.join(format!("{name}.json"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
    command.args(["puppet", "clip", "--dance", name, "--seed", "1000000", "--frames", "3", "-o"]);
    let made = command.arg(folder.join(format!("{name}.mp4"))).arg("--poses").arg(&poses).output().unwrap();
    assert!(made.status.success(), "{}", words(&made));
    poses
}

/// A small render of a dance with the built-in model.
pub fn job(dance: &Path, clip: PathBuf) -> Job {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let defaults = ModelDefaults::of(None).unwrap();
    let pipeline = PipelineSource::from_files(WeightFiles::builtin(), DeviceSettings::cpu());
    let settings = RenderSettings {
        prompt: "smile, night".into(),
        first_weight: 1.0,
        ..RenderSettings::square(&defaults, 64)
    };
    let mut job = Job::new(examples.join("hero.png"), dance, clip, pipeline, settings);
    job.reference.controls = vec![FileChoice::File(examples.join("hero.pose.json"))];
    Job { size: Some((64, 64)), audio: false, overwrite: true, ..job }
}
