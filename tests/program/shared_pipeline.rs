//! One pipeline for many renders.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use dreamtuner::animate::{self, Job};
use dreamtuner::interrupt::Interrupt;
use dreamtuner::model::DeviceSettings;
use dreamtuner::render::pipeline_source::PipelineSource;
use tempfile::TempDir;

use crate::clip_job::{dance, job};

/// The frames of a render, as files.
type Frames = BTreeMap<OsString, Vec<u8>>;

fn render(job: &Job) -> Frames {
    animate::run(job, &Interrupt::default(), &mut |_| {}).unwrap();
    let entries = fs::read_dir(&job.outputs.clip).unwrap().map(Result::unwrap);
    entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect()
}

/// A render of `dance` into a folder `name`.
fn render_of(dance: &Path, name: &str) -> Job {
    let folder = dance.with_file_name(format!("{}-{name}", dance.file_stem().unwrap().display()));
    fs::create_dir(&folder).unwrap();
    job(dance, folder.join(""))
}

#[test]
fn renders_share_a_pipeline_at_the_same_time() {
    let folder = TempDir::new().unwrap();
    let dances: Vec<PathBuf> = ["wave", "kick"].map(|name| dance(folder.path(), name)).into();
    let alone: Vec<Frames> = dances.iter().map(|dance| render(&render_of(dance, "alone"))).collect();
    assert!(alone.iter().all(|frames| frames.len() >= 3) && alone[0] != alone[1]);

    let PipelineSource::Files(weights, device) = job(&dances[0], PathBuf::new()).pipeline else {
        panic!("the pipeline of a job is in files")
    };
    let pipeline = Arc::new(weights.open().unwrap().load(&device, &mut |_| {}).unwrap());
    let together: Vec<Frames> = thread::scope(|scope| {
        let threads: Vec<_> = dances
            .iter()
            .map(|dance| {
                let pipeline = PipelineSource::Loaded(pipeline.clone());
                scope.spawn(move || render(&Job { pipeline, ..render_of(dance, "together") }))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(together == alone, "renders at the same time have changed one another");
}

#[test]
fn encoders_that_stay_in_their_files_change_nothing() {
    let folder = TempDir::new().unwrap();
    let dance = dance(folder.path(), "wave");
    let mut low = render_of(&dance, "low");
    let PipelineSource::Files(_, device) = &mut low.pipeline else {
        panic!("the pipeline of a job is in files")
    };
    *device = DeviceSettings { low_memory: true, ..DeviceSettings::cpu() };
    assert!(render(&low) == render(&render_of(&dance, "kept")));
}
