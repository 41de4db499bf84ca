//! How far the shots of a clip are, whoever renders them.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::batch::Batch;
use super::shot::Record;
use super::split::{Shot, Split, record_of};
use crate::error::Result;
use crate::render::journal::Journal;

/// How far a shot is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ShotStatus {
    /// The folder of its clip, of many clips.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<PathBuf>,
    /// Its number, from 0, over all clips.
    pub number: usize,
    /// Its frames.
    #[serde(flatten)]
    pub shot: Shot,
    /// How many of the frames that it renders are finished.
    pub finished: usize,
    /// Whether it can be merged.
    pub is_complete: bool,
    /// Seconds that each frame took, of a shot that is complete.
    pub seconds_per_frame: Option<f64>,
    /// Seconds before its first frame, of such a shot.
    pub start_seconds: Option<f64>,
}

/// How far the shots of the clip are that was split into `folder`, or of all clips of a batch.
///
/// # Errors
/// A folder that holds no split; [`crate::Error::Plan`] for shots of another clip.
pub fn status(folder: &Path) -> Result<Vec<ShotStatus>> {
    let Some(batch) = Batch::read(folder)? else { return of_clip(folder) };
    let mut shots = Vec::new();
    for clip in batch.clips {
        let of_clip = of_clip(&folder.join(&clip.folder))?;
        let first = shots.len();
        shots.extend(of_clip.into_iter().map(|shot| ShotStatus {
            clip: Some(clip.folder.clone()),
            number: first + shot.number,
            ..shot
        }));
    }
    Ok(shots)
}

fn of_clip(folder: &Path) -> Result<Vec<ShotStatus>> {
    let split = Split::read(folder)?;
    let status = |(number, shot): (usize, &Shot)| {
        let record = Record::of(folder, &split, number)?;
        let finished = match record {
            Some(_) => shot.rendered(),
            None => Journal::finished_in(&Journal::folder_for(&record_of(folder, number))),
        };
        let measured = record.as_ref().filter(|record| record.seconds_per_frame > 0.0);
        Ok(ShotStatus {
            clip: None,
            number,
            shot: shot.clone(),
            finished,
            is_complete: record.is_some(),
            seconds_per_frame: measured.map(|record| record.seconds_per_frame),
            start_seconds: measured.map(|record| record.start_seconds),
        })
    };
    split.shots.iter().enumerate().map(status).collect()
}
