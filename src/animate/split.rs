//! A clip, split into shots that are rendered by themselves, on many machines: the folder that holds what they share.
//!
//! `split.json` says what the shots are ([`Split`]), and holds the plan of the whole clip; `poses.safetensors` are the poses that were
//! found in a video; `shots` has a record of each shot that is finished, with its frames beside it. Every machine sees the same folder.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::job::{ClipEvent, Job};
use super::plan::{plan, search};
use super::stage::Stage;
use crate::error::{Error, Result};
use crate::files::read;
use crate::inputs::kept_poses;
use crate::interrupt::Interrupt;
use crate::outputs::{Reservation, Wanted};

const SPLIT: &str = "split.json";
const POSES: &str = "poses.safetensors";
const SHOTS: &str = "shots";
/// Longest file of a split that is read.
const MAX_BYTES: u64 = 1 << 32;
/// Most shots of a clip.
const MAX_SHOTS: usize = 1_000_000;

/// How a clip is divided.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Division {
    /// Shots of more frames than this are divided further. Their seams are not those of the clip rendered at once; `None` divides at
    /// cuts only, and gives the same bytes.
    pub longest: Option<usize>,
    /// Frames that are rendered before a seam, and dropped, so that the next piece begins as the last one ends.
    pub warm_up: usize,
}

/// What all shots of a clip share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// The plan of the whole clip: all that decides its frames.
    pub plan: Value,
    /// What the processor that made it can do: others may round otherwise.
    pub instructions: String,
    /// The shots, one after the other.
    pub shots: Vec<Shot>,
}

/// Some frames of a clip that are rendered one after the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Shot {
    /// The number of the first frame, from 0.
    pub first: usize,
    /// How many frames there are.
    pub frames: usize,
    /// The numbers of frames that are rendered before, and dropped: the clip's first one, where frames look at it, and those of the
    /// warm-up.
    pub lead: Vec<usize>,
}

impl Shot {
    /// Whether a frame of the clip is rendered, by its number.
    pub fn renders(&self, number: usize) -> bool {
        (self.first..self.first + self.frames).contains(&number) || self.lead.contains(&number)
    }

    /// How many frames are rendered.
    pub fn rendered(&self) -> usize {
        self.lead.len() + self.frames
    }
}

impl Division {
    /// Refuses numbers outside their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        match (self.longest, self.warm_up) {
            (Some(0), _) => Err(Error::setting("extra-split", "0; 1 or more frames are allowed")),
            (None, 1..) => Err(Error::setting("warm-up", "is for --extra-split")),
            _ => Ok(()),
        }
    }

    /// The shots of a clip with so many frames, of which those at `cuts` begin another scene. Each begins with the clip's first frame
    /// where frames look at it.
    pub fn shots(&self, frames: usize, cuts: &[usize], looks_at_first: bool) -> Vec<Shot> {
        let begins: Vec<usize> =
            std::iter::once(0).chain(cuts.iter().copied().filter(|cut| (1..frames).contains(cut))).collect();
        let ends = begins[1..].iter().copied().chain([frames]);
        let scenes = begins.iter().copied().zip(ends);
        let pieces = scenes.flat_map(|(begin, end)| {
            let length = (end - begin).max(1);
            let count = length.div_ceil(self.longest.unwrap_or(length).max(1));
            // Of about the same length.
            (0..count).map(move |piece| {
                let place = |piece: usize| begin + piece * length / count;
                (begin, place(piece), place(piece + 1).min(end))
            })
        });
        let shot = |(scene, first, end): (usize, usize, usize)| {
            let warm_up = first.saturating_sub(self.warm_up).max(scene)..first;
            let of_clip = (looks_at_first && first > 0 && warm_up.start > 0).then_some(0);
            Shot { first, frames: end - first, lead: of_clip.into_iter().chain(warm_up).collect() }
        };
        pieces.map(shot).collect()
    }
}

impl Split {
    /// Reads the split in a folder.
    ///
    /// # Errors
    /// A folder that holds none, or a damaged one.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(SPLIT);
        let text = read(&path, MAX_BYTES).map_err(|error| match error {
            Error::Io { .. } if folder.is_dir() => {
                Error::input(folder, format!("holds no {SPLIT}; `dreamtuner split` makes such a folder"))
            }
            other => other,
        })?;
        let split: Self =
            serde_json::from_slice(&text).map_err(|error| Error::input(&path, error.to_string()))?;
        split.check(&path)?;
        Ok(split)
    }

    /// Refuses shots that do not follow each other.
    fn check(&self, path: &Path) -> Result<()> {
        let frames = self.plan["frames"].as_u64().unwrap_or(0) as usize;
        let mut next = 0;
        for (number, shot) in self.shots.iter().enumerate() {
            let lead_is_before = shot.lead.iter().all(|frame| *frame < shot.first);
            if number >= MAX_SHOTS || shot.first != next || shot.frames == 0 || !lead_is_before {
                return Err(Error::input(path, format!("shot {number} does not follow the one before")));
            }
            next = shot.first.saturating_add(shot.frames);
        }
        if next != frames {
            return Err(Error::input(path, format!("its shots have {next} frames, its plan {frames}")));
        }
        Ok(())
    }

    /// A shot by its number, from 0.
    ///
    /// # Errors
    /// [`Error::Setting`] where there is no such shot.
    pub fn shot(&self, number: usize) -> Result<&Shot> {
        let last = self.shots.len().saturating_sub(1);
        let problem = || Error::setting("shot", format!("{number}; there are shots 0 to {last}"));
        self.shots.get(number).ok_or_else(problem)
    }

    /// All that decides the frames of a shot.
    pub(super) fn plan_of(&self, shot: &Shot) -> Value {
        let mut plan = self.plan.clone();
        plan["frames"] = shot.rendered().into();
        plan["shot"] = serde_json::json!(shot);
        plan
    }
}

/// The record of a shot in the folder of its clip.
pub fn record_of(folder: &Path, number: usize) -> PathBuf {
    folder.join(SHOTS).join(format!("{number:05}.json"))
}

/// The poses that were found when the clip was split.
pub(super) fn poses_of(folder: &Path) -> Option<Vec<u8>> {
    read(&folder.join(POSES), MAX_BYTES).ok()
}

/// Splits a clip: finds the poses of its dance, reads everything once, and writes the new `folder`. `others` are files that go into it,
/// too. The outputs of `job` are written by [`fn@super::merge`].
///
/// # Errors
/// Everything that can be wrong with settings, inputs and weights; a folder that is there already.
pub fn split(
    job: &Job,
    folder: &Path,
    division: Division,
    others: Vec<(String, Vec<u8>)>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<Split> {
    division.check()?;
    super::checks::check_inputs(job)?;
    let inputs: Vec<&Path> = job.inputs().into_iter().chain(job.options.as_deref()).collect();
    let mut reserved = Reservation::new(vec![Wanted::Folder(folder.to_path_buf())], &inputs, false)?;
    let search = search(job)?;
    let key = search.to_string();
    let stage = Stage::prepare(job, None, interrupt, on_event)?;
    let looks_at_first = stage.settings.first_weight > 0.0;
    let plan =
        plan(job, &stage.settings, search, &stage.pipeline, stage.pose.frames, stage.figure.as_deref())?;
    let shots = division.shots(stage.pose.frames, &stage.pose.cuts, looks_at_first);
    let split = Split { plan, instructions: instructions(), shots };
    let text = serde_json::to_vec_pretty(&split).map_err(|error| Error::output(folder, error.to_string()))?;
    let poses = stage.pose.found.as_ref().map(|found| kept_poses::to_bytes(found, &key)).transpose()?;
    let poses = poses.map(|bytes| (POSES.to_string(), bytes));
    let files = others.into_iter().chain(poses).chain([(SPLIT.to_string(), text)]);
    reserved.resume(&crate::outputs::key_of(&split.plan.to_string()))?;
    reserved.write_folder(folder, files.map(Ok))?;
    reserved.finish()?;
    Ok(split)
}

/// What this processor can do that changes how numbers are rounded.
pub(super) fn instructions() -> String {
    #[cfg(target_arch = "x86_64")]
    {
        let all = [
            ("avx2", is_x86_feature_detected!("avx2")),
            ("fma", is_x86_feature_detected!("fma")),
            ("avx512f", is_x86_feature_detected!("avx512f")),
            ("avx512bf16", is_x86_feature_detected!("avx512bf16")),
        ];
        let has = all.into_iter().filter_map(|(name, has)| has.then_some(name));
        std::iter::once("x86_64").chain(has).collect::<Vec<_>>().join(" ")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        std::env::consts::ARCH.to_string()
    }
}
