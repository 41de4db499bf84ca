//! The shots of a clip, put together.

use std::path::Path;

use image::RgbImage;

use super::job::{ClipEvent, Job};
use super::outputs::Outputs;
use super::plan::search;
use super::shot::Record;
use super::split::{Split, poses_of, record_of};
use super::stage::encode_settings;
use crate::error::{Error, Result};
use crate::files::read_picture;
use crate::frame::Frame;
use crate::inputs::dance::{PoseSettings, PoseSource, Surroundings};
use crate::inputs::{content_hash, kept_poses};
use crate::interrupt::Interrupt;
use crate::outputs::key_of;
use crate::pose::Retarget;
use crate::render::clip::{FinishedFrame, Outcome, Progress};
use crate::render::journal::Journal;
use crate::video::EncodeSettings;

/// Encodes the clip that was split into `folder`, whose job this is, from the frames of its shots, with sound. The shots stay. No weights
/// are read.
///
/// # Errors
/// [`Error::Input`] that names the shots that are not finished, or a picture that is missing or damaged; [`Error::Plan`] for shots of
/// another clip; outputs that cannot be written.
pub fn merge(
    job: &Job,
    folder: &Path,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(ClipEvent),
) -> Result<Outcome> {
    if job.outputs.compare.is_some() {
        return Err(Error::setting("compare", "is made by renders that are not split"));
    }
    // 1. Every shot is there.
    let split = Split::read(folder)?;
    let records = records(folder, &split)?;
    let others = records.iter().filter(|record| record.instructions != split.instructions).count();
    if others > 0 {
        let problem = "were rendered by processors with other instructions than the one that split the clip";
        on_event(ClipEvent::Note(format!(
            "{others} shots {problem}: their pictures may differ in their last bits"
        )));
    }
    super::checks::check_outputs(job)?;
    let journal = Journal::folder_for(&job.outputs.clip);
    let mut reserved = super::checks::reserve(job, &journal)?;
    // 2. When frames are shown.
    let search = search(job)?;
    let known = poses_of(folder).and_then(|bytes| kept_poses::from_bytes(&bytes, &search.to_string()));
    let settings = PoseSettings { retarget: Retarget::None, ..job.pose_settings.clone() };
    let mut on_frame = |done, of| on_event(ClipEvent::Searched { done, of });
    let mut around = Surroundings { reference: None, known, interrupt, on_frame: &mut on_frame };
    let pose = PoseSource::open(&job.pose, &settings, &mut around)?;
    if split.plan["pose"]["file"] != search["file"] {
        return Err(Error::input(&job.pose, "is not the dance that was split"));
    }
    let times = pose.times()?;
    let frames = split.shots.iter().map(|shot| shot.frames).sum::<usize>();
    if times.len() != frames {
        return Err(Error::input(&job.pose, format!("has {} frames; {frames} were split", times.len())));
    }
    // 3. Encoding.
    let comment = vec![("comment".into(), split.plan.to_string())];
    let encode = EncodeSettings { metadata: comment, ..encode_settings(job, &pose)? };
    reserved.resume(&key_of(&format!("{} {encode:?}", split.plan)))?;
    let side = |name: &str| split.plan["settings"][name].as_u64().unwrap_or(1) as u32;
    // Of the reference nothing is shown but the size.
    let blank = RgbImage::new(side("width"), side("height"));
    let mut outputs = Outputs::create(&job.outputs, &mut reserved, &blank, frames, &encode)?;
    on_event(ClipEvent::Begin {
        frames,
        finished: 0,
        width: blank.width() as usize,
        height: blank.height() as usize,
    });
    for (number, (shot, record)) in split.shots.iter().zip(&records).enumerate() {
        let pictures = Journal::folder_for(&record_of(folder, number));
        for place in 0..shot.frames {
            interrupt.check()?;
            let in_shot = shot.lead.len() + place;
            let path = pictures.join(Journal::picture_name(in_shot));
            let index = shot.first + place;
            let image = picture(&path, &record.pictures[in_shot], number)?;
            outputs.write(&FinishedFrame {
                index,
                frame: Frame { image, time: times[index] },
                controls: Vec::new(),
            })?;
            on_event(ClipEvent::Progress(Progress::Frame { frame: index }));
        }
    }
    let written = outputs.finish(true)?;
    reserved.finish()?;
    let outcome = Outcome::Complete { frames };
    on_event(ClipEvent::End { outcome, written, frames: None });
    Ok(outcome)
}

/// The records of all shots.
fn records(folder: &Path, split: &Split) -> Result<Vec<Record>> {
    let records = (0..split.shots.len()).map(|number| Record::of(folder, split, number));
    let records = records.collect::<Result<Vec<_>>>()?;
    let missing: Vec<String> = records
        .iter()
        .enumerate()
        .filter(|(_, record)| record.is_none())
        .map(|(number, _)| number.to_string())
        .collect();
    if !missing.is_empty() {
        let (count, all) = (missing.len(), split.shots.len());
        /// Numbers that are listed.
        const LISTED: usize = 12;
        let more = if count > LISTED { ", …" } else { "" };
        let listed = missing[..count.min(LISTED)].join(", ");
        let problem = format!("{count} of {all} shots are not finished: {listed}{more}");
        return Err(Error::input(folder, problem));
    }
    let records: Vec<Record> = records.into_iter().flatten().collect();
    let is_whole =
        |(number, record): &(usize, &Record)| record.pictures.len() != split.shots[*number].rendered();
    match records.iter().enumerate().find(is_whole) {
        Some((number, _)) => {
            let path = record_of(folder, number);
            Err(Error::input(
                path,
                format!("names too few pictures; delete it to render shot {number} again"),
            ))
        }
        None => Ok(records),
    }
}

/// A picture of a shot, as it was when the shot was finished.
fn picture(path: &Path, hash: &str, shot: usize) -> Result<RgbImage> {
    let again = format!("delete the record of shot {shot} and its frames to render it again");
    if !path.exists() {
        return Err(Error::input(path, format!("is missing, though shot {shot} is finished; {again}")));
    }
    if content_hash(path)? != hash {
        return Err(Error::input(path, format!("is not the picture that was rendered; {again}")));
    }
    Ok(read_picture(path)?.into_rgb8())
}
