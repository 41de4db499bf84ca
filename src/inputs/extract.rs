//! From a video of a person dancing to poses.
//!
//! 1. [`video`](crate::video) decodes the frames; [`CutDetector`] finds where another scene begins.
//! 2. [`Tracker`] finds everyone in every frame.
//! 3. [`mend`] repairs what the detector got wrong.

use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::detect::{CutDetector, PoseModel, Tracker};
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pose::{Pose, PoseSequence, reject_outliers, repair_swaps, smooth_poses};
use crate::video::{DecodeSettings, open_frames_for_search};

/// Frames that are decoded ahead of the search.
const QUEUE: usize = 4;

/// How poses are taken from a video.
#[derive(Debug, Clone, Default)]
pub struct ExtractSettings {
    /// Trimming and frame rate.
    pub decode: DecodeSettings,
    /// The network that finds the joints.
    pub model: PoseModel,
}

/// What was found in a video.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Extracted {
    /// The poses of everyone, one for each frame, in pixels of the video. The n-th person is the same in all frames.
    pub sequence: PoseSequence,
    /// Presentation time of each frame in seconds from the first.
    pub times: Vec<f64>,
    /// Frames that begin another scene.
    pub cuts: Vec<usize>,
    /// Frames a second as numerator and denominator.
    pub frame_rate: (u32, u32),
    /// Whether the video has sound.
    pub has_audio: bool,
}

/// Finds everyone in a video or a folder of pictures. `on_frame` is told how many frames are done, and how many there are
/// about, where the file says so.
///
/// # Errors
/// What keeps the file or the network from being read, a file without frames, [`Error::Interrupted`].
pub fn extract_poses(
    path: &Path,
    settings: &ExtractSettings,
    interrupt: &Interrupt,
    on_frame: &mut dyn FnMut(usize, Option<usize>),
) -> Result<Extracted> {
    let (mut tracker, mut cuts) = (Tracker::new(settings.model.estimator()?), CutDetector::default());
    let reader = open_frames_for_search(path, &settings.decode)?;
    let (frame_rate, has_audio) = (reader.frame_rate(), reader.has_audio());
    let rate = f64::from(frame_rate.0) / f64::from(frame_rate.1);
    let expected = reader.duration().map(|seconds| (seconds * rate).round() as usize);
    let (width, height) = (reader.width(), reader.height());
    let sequence =
        PoseSequence { width, height, frames_per_second: Some(rate), tracked: true, poses: Vec::new() };
    let mut found = Extracted { sequence, frame_rate, has_audio, ..Extracted::default() };
    thread::scope(|scope| {
        let (sender, frames) = sync_channel(QUEUE);
        // Where the search has ended early, nobody receives.
        scope.spawn(move || reader.into_iter().try_for_each(|frame| sender.send(frame)));
        for (index, frame) in frames.iter().enumerate() {
            interrupt.check()?;
            let frame = frame?;
            if cuts.observe(&frame.image) {
                tracker.cut();
                found.cuts.push(index);
            }
            let pose = tracker.observe(&frame.image).map_err(|error| error.at_frame(index))?;
            found.sequence.poses.push(pose);
            found.times.push(frame.time);
            on_frame(index + 1, expected);
        }
        Ok::<(), Error>(())
    })?;
    if found.times.is_empty() {
        return Err(Error::input(path, "holds no frame in the chosen range"));
    }
    Ok(found)
}

/// What [`mend`] has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Mended {
    /// Frames in which left and right were exchanged.
    pub swapped_frames: usize,
    /// Points that were thrown out.
    pub outliers: usize,
}

impl std::fmt::Display for Mended {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { swapped_frames, outliers } = self;
        write!(formatter, "left and right put back in {swapped_frames} frames, {outliers} points thrown out")
    }
}

/// Puts left and right back, throws out points that jump, and takes out the tremble, of one person or of everyone in a
/// tracked sequence; nothing is carried across `cuts`.
///
/// # Errors
/// Several people in a frame of a sequence that is not tracked.
pub fn mend(sequence: &mut PoseSequence, cuts: &[usize]) -> Result<Mended> {
    if !sequence.tracked {
        return mend_one(sequence, cuts);
    }
    let count = sequence.poses.iter().map(|pose| pose.people.len()).max().unwrap_or(0);
    let mut all = Mended::default();
    for index in 0..count {
        let person = |pose: &Pose| pose.people.get(index).filter(|person| !person.is_empty()).cloned();
        let alone = |pose: &Pose| Pose { people: person(pose).into_iter().collect(), ..*pose };
        let poses = sequence.poses.iter().map(alone).collect();
        let mut one = PoseSequence { tracked: false, poses, ..*sequence };
        let mended = mend_one(&mut one, cuts)?;
        all.swapped_frames += mended.swapped_frames;
        all.outliers += mended.outliers;
        for (pose, mut mended) in sequence.poses.iter_mut().zip(one.poses) {
            if let Some(person) = pose.people.get_mut(index) {
                *person = mended.people.pop().unwrap_or_default();
            }
        }
    }
    Ok(all)
}

fn mend_one(sequence: &mut PoseSequence, cuts: &[usize]) -> Result<Mended> {
    let swapped_frames = repair_swaps(sequence, cuts);
    let outliers = reject_outliers(sequence, cuts)?;
    smooth_poses(sequence, cuts)?;
    Ok(Mended { swapped_frames, outliers })
}
