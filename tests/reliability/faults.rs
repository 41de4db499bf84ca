//! Disks that fail and processes that are killed, at each call that changes the disk: `DREAMTUNER_FAULTS=all` tries every call of
//! every command, otherwise some are tried, others at each failure.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dreamtuner::outputs::HIDDEN_PREFIX;
use tempfile::TempDir;

use super::cases::{Case, case};
use super::support::{Files, Run, files, run};

/// How the disk fails.
const FAILURES: [&str; 4] = ["kill", "no-space", "io", "full"];
/// Calls that are tried at each failure unless all are asked for, of quick commands and of slow ones.
const TRIED: (usize, usize) = (4, 2);
/// A file of the user's that lies where the command writes.
const BYSTANDER: &str = "notes.txt";

/// A place to run a command in.
struct Place {
    case: Case,
    _inputs: TempDir,
    folder: TempDir,
}

impl Place {
    fn new(name: &'static str) -> Self {
        let inputs = TempDir::new().unwrap();
        Self { case: case(name, inputs.path()), _inputs: inputs, folder: TempDir::new().unwrap() }
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    /// An output folder with nothing but the user's file.
    fn fresh(&self) -> PathBuf {
        let output = self.output();
        let _ = std::fs::remove_dir_all(&output);
        std::fs::create_dir(&output).unwrap();
        std::fs::write(output.join(BYSTANDER), "mine").unwrap();
        output
    }

    fn run(&self, variables: &[(&str, &str)]) -> Run {
        run(self.case.command(&self.output()).envs(variables.iter().copied()))
    }

    /// What a run without failures leaves, those of its files that are the same each time, and the calls that it makes.
    fn straight(&self) -> (Files, Files, Vec<String>) {
        let log = self.folder.path().join("log");
        let output = self.fresh();
        self.run(&[("DREAMTUNER_DISK_LOG", log.to_str().unwrap())]).succeeded();
        let wanted = files(&output);
        self.fresh();
        self.run(&[]).succeeded();
        let again = files(&output);
        assert!(wanted.keys().eq(again.keys()), "other files: {:?}, {:?}", wanted.keys(), again.keys());
        let same = wanted.iter().filter(|(name, hash)| again[*name] == **hash && !is_timed(name));
        let same = same.map(|(name, hash)| (name.clone(), *hash)).collect();
        let calls = std::fs::read_to_string(&log).unwrap().lines().map(str::to_owned).collect();
        (wanted, same, calls)
    }
}

/// What was found wrong, with the calls at which it was.
#[derive(Default)]
struct Problems(BTreeMap<String, Vec<usize>>);

impl Problems {
    fn add(&mut self, problem: String, call: usize) {
        self.0.entry(problem).or_default().push(call);
    }
}

fn is_hidden(name: &Path) -> bool {
    name.file_name().is_some_and(|name| name.to_string_lossy().starts_with(HIDDEN_PREFIX))
}

/// Whether a file says how long something took.
fn is_timed(name: &Path) -> bool {
    name.starts_with("results") && name.extension().is_some_and(|extension| extension != "png")
}

/// Whether a file belongs to work in progress rather than to the outputs.
fn is_inner(name: &Path) -> bool {
    let of_work = |part: &std::ffi::OsStr| {
        let part = part.to_string_lossy();
        part.ends_with(".frames") || part.ends_with(".tune") || part == "encoder"
    };
    is_hidden(name) || name.iter().any(of_work)
}

/// Fails at one call, then runs again.
fn try_call(
    place: &Place,
    failure: &str,
    call: usize,
    wanted: &Files,
    same: &Files,
    calls: &[String],
    problems: &mut Problems,
) {
    let output = place.fresh();
    let end = place.run(&[("DREAMTUNER_DISK_FAULT", &format!("{call}:{failure}"))]);
    let middle = files(&output);
    if end.stderr.contains("panicked") || (failure != "kill" && end.code.is_none()) || end.code == Some(101) {
        problems.add(format!("panics: {}", end.stderr), call);
    }
    if failure == "kill" && end.signal.is_none() {
        problems.add("is not killed".into(), call);
    }
    for (name, hash) in middle.iter().filter(|(name, _)| !is_inner(name)) {
        if same.get(name).is_some_and(|whole| whole != hash) {
            problems.add(format!("{} is not whole", name.display()), call);
        }
    }
    if end.code == Some(0) {
        if !agrees(&middle, wanted, same) {
            problems.add("succeeds, with other files".into(), call);
        }
        return;
    }
    if failure != "kill" {
        if end.errors() != 1 {
            problems.add(format!("does not say one error: {}", end.stderr), call);
        }
        let part = middle.keys().find(|name| is_hidden(name) && name.to_string_lossy().ends_with(".part"));
        // What could not be removed stays.
        if let Some(part) = part.filter(|_| !calls[call - 1].contains("Remove")) {
            problems.add(format!("leaves {}", part.display()), call);
        }
    }
    let end = place.run(&[]);
    if end.code != Some(0) {
        problems.add(format!("the same command is refused: {}", end.stderr.trim()), call);
    } else if !agrees(&files(&output), wanted, same) {
        let left: Vec<_> = files(&output).into_keys().collect();
        problems.add(format!("the same command leaves other files: {left:?}"), call);
    }
}

/// Whether the files are those that are wanted, and of those that are the same each time have the same bytes.
fn agrees(found: &Files, wanted: &Files, same: &Files) -> bool {
    found.keys().eq(wanted.keys()) && same.iter().all(|(name, hash)| found[name] == *hash)
}

fn survives(name: &'static str) {
    let place = Place::new(name);
    let (wanted, same, calls) = place.straight();
    let all = std::env::var("DREAMTUNER_FAULTS").is_ok_and(|which| which == "all");
    let tried = if place.case.is_slow { TRIED.1 } else { TRIED.0 };
    let step = if all { 1 } else { calls.len().div_ceil(tried) };
    let mut failed = false;
    for (index, failure) in FAILURES.into_iter().enumerate() {
        let mut problems = Problems::default();
        // Each failure begins elsewhere, so that together they come to more calls.
        let chosen = (1 + index * step / FAILURES.len()..=calls.len()).step_by(step);
        let count = chosen.clone().count();
        chosen.for_each(|call| try_call(&place, failure, call, &wanted, &same, &calls, &mut problems));
        println!("| `{}` | {failure} | {} | {count} | {} |", place.case.name, calls.len(), problems.0.len());
        for (problem, at) in &problems.0 {
            failed = true;
            let calls: Vec<&String> = at.iter().map(|&call| &calls[call - 1]).collect();
            println!("  {name}, {failure}: {problem}\n    at {calls:?}");
        }
    }
    assert!(!failed, "see above");
}

macro_rules! cases {
    ($($function:ident: $name:literal,)*) => {
        $(
            #[test]
            fn $function() {
                survives($name);
            }
        )*
    };
}

cases! {
    clip_with_comparison_and_sheet: "mp4",
    webm: "webm",
    clip_with_frames_and_configuration: "mkv",
    gif: "gif",
    mov: "mov",
    folder_of_pictures: "png-folder",
    pattern_of_pictures: "png-pattern",
    several_images: "image",
    image_grid: "image-grid",
    attention_maps: "attention",
    drawn_poses: "pose-draw",
    converted_poses: "pose-convert",
    folder_of_poses: "pose-folder",
    smoothed_poses: "pose-smooth",
    retargeted_poses: "pose-retarget",
    extracted_poses: "pose-extract",
    puppet_image: "puppet-image",
    puppet_clip: "puppet-clip",
    puppet_dataset: "puppet-dataset",
    tuning: "tune",
    training: "train",
    benchmark: "eval-puppets",
    benchmark_of_subjects: "eval-dreambooth",
}
