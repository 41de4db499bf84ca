//! From files to a clip.

use std::path::{Path, PathBuf};

use dreamtuner_warp::Joints;
use image::{DynamicImage, GrayImage};

use super::job::{DraftEvent, DraftJob};
use super::layout::{Layout, check_size, with_room};
use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::inputs::dance::{PoseSource, Surroundings};
use crate::interrupt::Interrupt;
use crate::outputs::{PartFile, Reservation, Wanted, check_sheet_name};
use crate::picture::{SheetBuilder, on_colour};
use crate::pose::Pose;
use crate::video::{AudioSource, Container, EncodeSettings, VideoWriter};

/// Share of a picture that may lie beside the figure without a word.
const MUCH: f32 = 0.1;
/// Width of a frame on a contact sheet.
const SHEET_CELL: u32 = 160;

/// Draws the clip. The same files give the same bytes, for any number of threads.
///
/// # Errors
/// Everything that can be wrong with inputs is found before the first frame.
pub fn run(job: &DraftJob, interrupt: &Interrupt, on_event: &mut dyn FnMut(DraftEvent)) -> Result<()> {
    check(job)?;
    let mut reserved = reserve(job)?;
    let figure = job.figure.read()?;
    let doubts = figure.doubts();
    if !doubts.is_empty() {
        on_event(DraftEvent::Doubts(doubts));
    }
    let dance = open_dance(job, figure.pose(), interrupt, on_event)?;
    let poses = dance.poses().ok_or_else(|| drafts_need_people(&job.pose))?;
    let (joints, times): (Vec<Joints>, Vec<f64>) =
        poses.map(|(pose, time)| (Joints::of_first(pose), time)).unzip();
    let layout = Layout::new(&joints, figure.bounds(), &Joints::of(figure.person()), job.size);
    let rig = figure.rig(layout.scale)?;
    if rig.apart() > MUCH {
        let (picture, share) = (job.figure.reference.picture.display(), 100.0 * rig.apart());
        on_event(DraftEvent::Note(format!(
            "{picture}: {share:.0} % of what it shows does not hang together with the figure, and is carried along; \
             a mask leaves it out"
        )));
    }
    let mut outputs = Outputs::begin(job, &mut reserved, &dance, &layout)?;
    for (index, (joints, time)) in joints.iter().zip(times).enumerate() {
        interrupt.check()?;
        let pose = joints.placed(layout.scale, layout.offset);
        let drawn = rig.draw(&pose, layout.width, layout.height);
        outputs.write(Frame { image: on_colour(&drawn, job.background), time })?;
        outputs.write_confidence(time, || rig.confidence(&pose, layout.width, layout.height))?;
        on_event(DraftEvent::Frame { done: index + 1, of: dance.frames });
    }
    for path in outputs.finish()? {
        on_event(DraftEvent::Written(path));
    }
    reserved.finish()
}

/// What can be found wrong before anything is read.
fn check(job: &DraftJob) -> Result<()> {
    [Some(&job.output), job.confidence.as_ref()]
        .into_iter()
        .flatten()
        .try_for_each(|path| Container::from_path(path).map(drop))?;
    job.sheet.as_deref().map_or(Ok(()), check_sheet_name)?;
    check_size(job.size)?;
    job.pose_settings.check()
}

fn reserve(job: &DraftJob) -> Result<Reservation> {
    let mut wanted = vec![Wanted::clip(&job.output)];
    wanted.extend(job.confidence.as_deref().map(Wanted::clip));
    wanted.extend(job.sheet.iter().map(|path| Wanted::File(path.clone())));
    let inputs: Vec<&Path> = job.figure.files().chain([job.pose.as_path()]).collect();
    Reservation::begin(wanted, &inputs, job.overwrite, &format!("{job:?}"))
}

fn open_dance(
    job: &DraftJob,
    rest: &Pose,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DraftEvent),
) -> Result<PoseSource> {
    let body = with_room(rest);
    let dance = {
        let mut on_frame = |done, of| on_event(DraftEvent::Searched { done, of });
        let mut around =
            Surroundings { reference: Some(&body), known: None, interrupt, on_frame: &mut on_frame };
        PoseSource::open(&job.pose, &job.pose_settings, &mut around)?
    };
    for note in &dance.notes {
        on_event(DraftEvent::Note(format!("{}: {note}", dance.path().display())));
    }
    Ok(dance)
}

/// The clip and its contact sheet.
struct Outputs<'a> {
    job: &'a DraftJob,
    clip: VideoWriter,
    confidence: Option<VideoWriter>,
    sheet: Option<(PartFile, SheetBuilder)>,
}

impl<'a> Outputs<'a> {
    fn begin(
        job: &'a DraftJob,
        reserved: &mut Reservation,
        dance: &PoseSource,
        layout: &Layout,
    ) -> Result<Self> {
        let sound = || AudioSource::beside(&job.pose, &job.pose_settings.decode);
        let audio = (job.audio && dance.has_audio).then(sound);
        let settings = EncodeSettings {
            frame_rate: dance.frame_rate,
            quality: job.quality,
            audio,
            ..Default::default()
        };
        settings.validate(Container::from_path(&job.output)?)?;
        let clip = VideoWriter::begin(reserved.clip(&job.output)?, layout.width, layout.height, &settings)?;
        let silent = EncodeSettings { audio: None, ..settings };
        let begin_map =
            |path: &PathBuf| VideoWriter::begin(reserved.clip(path)?, layout.width, layout.height, &silent);
        let confidence = job.confidence.as_ref().map(begin_map).transpose()?;
        let begin_sheet = |path: &PathBuf| {
            Ok::<_, Error>((reserved.file(path)?, SheetBuilder::of_clip(dance.frames, SHEET_CELL)))
        };
        let sheet = job.sheet.as_ref().map(begin_sheet).transpose()?;
        Ok(Self { job, clip, confidence, sheet })
    }

    fn write(&mut self, frame: Frame) -> Result<()> {
        if let Some((_, sheet)) = &mut self.sheet {
            sheet.push(&frame.image);
        }
        self.clip.write(&frame)
    }

    /// Writes the map that `drawn` gives, where one is asked for.
    fn write_confidence(&mut self, time: f64, drawn: impl Fn() -> GrayImage) -> Result<()> {
        let Some(clip) = &mut self.confidence else { return Ok(()) };
        clip.write(&Frame { image: DynamicImage::ImageLuma8(drawn()).into_rgb8(), time })
    }

    /// Gives everything its name; the names.
    fn finish(self) -> Result<Vec<PathBuf>> {
        self.clip.finish()?;
        let mut written = vec![self.job.output.clone()];
        if let Some(clip) = self.confidence {
            clip.finish()?;
            written.extend(self.job.confidence.clone());
        }
        if let Some((file, sheet)) = self.sheet {
            file.write_png(&sheet.finish(), &[])?;
            written.extend(self.job.sheet.clone());
        }
        Ok(written)
    }
}

/// A dance that drafts cannot be made of.
pub fn drafts_need_people(dance: &Path) -> Error {
    Error::input(
        dance,
        "is a video of drawn skeletons, or pictures; a draft needs a video of somebody, or a pose file",
    )
}
