//! From files to a clip.

use std::path::{Path, PathBuf};

use dreamtuner_warp::Joints;
use image::{DynamicImage, RgbImage};

use super::background::Background;
use super::follow::follow;
use super::footage::Footage;
use super::frames::{Danced, FrameDrafts};
use super::job::{DraftEvent, DraftJob};
use super::layout::{Layout, check_size, with_room};
use crate::error::{Error, Result};
use crate::files::{check_rereadable, read_picture};
use crate::frame::Frame;
use crate::inputs::dance::{PoseSource, Surroundings, holds_poses};
use crate::inputs::reference::opaque;
use crate::interrupt::Interrupt;
use crate::outputs::{PartFile, Reservation, Wanted, check_sheet_name};
use crate::picture::{Fit, SheetBuilder, WHITE, fit_image, on_colour, over_picture, with_colours_beyond};
use crate::pose::{Pose, Retarget};
use crate::rig::Figure;
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
    let danced = Danced::of(&dance)?;
    let mut footage = None;
    let drafts = match &job.background {
        Background::Dance => {
            let size =
                job.size.unwrap_or((dance.width.next_multiple_of(2), dance.height.next_multiple_of(2)));
            let place = |pose: &&Pose| pose.fit(size.0, size.1, Fit::Contain);
            let dancer: Vec<Pose> = danced.poses.iter().map(place).collect();
            let drafts = in_place(job, &figure, &danced, &dancer, size)?;
            footage = Some(Footage::open(&job.pose, &job.pose_settings.decode, dancer, size, interrupt)?);
            drafts
        }
        Background::Reference => {
            let size = job.size.unwrap_or(figure.picture().dimensions());
            FrameDrafts::new(&figure, &danced, size, Fit::Contain)?
        }
        Background::Colour(colour) => {
            laid_out(job, &figure, &danced, |width, height| Ok(RgbImage::from_pixel(width, height, *colour)))?
        }
        Background::Transparent => {
            laid_out(job, &figure, &danced, |width, height| Ok(RgbImage::new(width, height)))?
        }
        Background::Picture(path) => laid_out(job, &figure, &danced, |width, height| {
            Ok(fit_image(&opaque(read_picture(path)?), width, height, Fit::Cover, WHITE))
        })?,
    };
    if drafts.apart() > MUCH {
        let (picture, share) = (job.figure.reference.picture.display(), 100.0 * drafts.apart());
        on_event(DraftEvent::Note(format!(
            "{picture}: {share:.0} % of what it shows does not hang together with the figure, and is carried along; \
             a mask leaves it out"
        )));
    }
    let mut outputs = Outputs::begin(job, &mut reserved, &dance, drafts.size())?;
    for (index, time) in danced.times.iter().enumerate() {
        interrupt.check()?;
        outputs.write(&drafts, footage.as_mut(), index, *time)?;
        on_event(DraftEvent::Frame { done: index + 1, of: dance.frames });
    }
    for path in outputs.finish()? {
        on_event(DraftEvent::Written(path));
    }
    reserved.finish()
}

/// The whole dance in frames of the size that is asked for, or that it needs, before a background of their width and height.
fn laid_out(
    job: &DraftJob,
    figure: &Figure,
    dance: &Danced,
    background: impl Fn(u32, u32) -> Result<RgbImage>,
) -> Result<FrameDrafts> {
    let joints: Vec<Joints> = dance.poses.iter().map(|pose| Joints::of_first(pose)).collect();
    let layout = Layout::new(&joints, figure.bounds(), &figure.moved_joints(), job.size);
    let background = background(layout.width, layout.height)?;
    let placed: Vec<Joints> =
        joints.iter().map(|joints| joints.placed(layout.scale, layout.offset)).collect();
    Ok(FrameDrafts::before(figure.rig(layout.scale)?, dance.moments(&placed), background))
}

/// The figure in the place of a dancer, whose poses are on the frames.
fn in_place(
    job: &DraftJob,
    figure: &Figure,
    dance: &Danced,
    dancer: &[Pose],
    (width, height): (u32, u32),
) -> Result<FrameDrafts> {
    let followed = follow(dancer, figure.pose(), job.pose_settings.retarget)?
        .ok_or_else(|| Error::input(dance.path, "shows too little of a body for drafts"))?;
    let moments = dance.moments(&followed.joints);
    Ok(FrameDrafts::before(figure.rig(followed.scale)?, moments, RgbImage::new(width, height)))
}

/// What can be found wrong before anything is read.
fn check(job: &DraftJob) -> Result<()> {
    [Some(&job.output), job.confidence.as_ref()]
        .into_iter()
        .flatten()
        .try_for_each(|path| Container::from_path(path).map(drop))?;
    job.sheet.as_deref().map_or(Ok(()), check_sheet_name)?;
    check_size(job.size)?;
    if job.background == Background::Dance && holds_poses(&job.pose) {
        let problem = "dance; it needs a video, and this dance has no pictures";
        return Err(Error::setting("background", problem));
    }
    job.background.file().map_or(Ok(()), check_rereadable)?;
    job.pose_settings.check()
}

fn reserve(job: &DraftJob) -> Result<Reservation> {
    let mut wanted = vec![Wanted::clip(&job.output)];
    wanted.extend(job.confidence.as_deref().map(Wanted::clip));
    wanted.extend(job.sheet.iter().map(|path| Wanted::File(path.clone())));
    let inputs: Vec<&Path> =
        job.figure.files().chain([job.pose.as_path()]).chain(job.background.file()).collect();
    Reservation::begin(wanted, &inputs, job.overwrite, &format!("{job:?}"))
}

fn open_dance(
    job: &DraftJob,
    rest: &Pose,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(DraftEvent),
) -> Result<PoseSource> {
    // Frames that are the reference's leave no more room than that has.
    let body = if job.background == Background::Reference { rest.clone() } else { with_room(rest) };
    // The figure follows a dancer in the video's own pixels.
    let mut settings = job.pose_settings.clone();
    if job.background == Background::Dance {
        settings.retarget = Retarget::None;
    }
    let dance = {
        let mut on_frame = |done, of| on_event(DraftEvent::Searched { done, of });
        let mut around =
            Surroundings { reference: Some(&body), known: None, interrupt, on_frame: &mut on_frame };
        PoseSource::open(&job.pose, &settings, &mut around)?
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
        (width, height): (u32, u32),
    ) -> Result<Self> {
        let sound = || AudioSource::beside(&job.pose, &job.pose_settings.decode);
        let audio = (job.audio && dance.has_audio).then(sound);
        let settings = EncodeSettings {
            frame_rate: dance.frame_rate,
            quality: job.quality,
            audio,
            transparent: job.background == Background::Transparent,
            ..Default::default()
        };
        settings.validate(Container::from_path(&job.output)?)?;
        let clip = VideoWriter::begin(reserved.clip(&job.output)?, width, height, &settings)?;
        let silent = EncodeSettings { audio: None, transparent: false, ..settings };
        let begin_map = |path: &PathBuf| VideoWriter::begin(reserved.clip(path)?, width, height, &silent);
        let confidence = job.confidence.as_ref().map(begin_map).transpose()?;
        let begin_sheet = |path: &PathBuf| {
            Ok::<_, Error>((reserved.file(path)?, SheetBuilder::of_clip(dance.frames, SHEET_CELL)))
        };
        let sheet = job.sheet.as_ref().map(begin_sheet).transpose()?;
        Ok(Self { job, clip, confidence, sheet })
    }

    fn write(
        &mut self,
        drafts: &FrameDrafts,
        footage: Option<&mut Footage>,
        index: usize,
        time: f64,
    ) -> Result<()> {
        let sheet = self.sheet.as_mut().map(|(_, sheet)| sheet);
        if self.job.background == Background::Transparent {
            let figure = drafts.figure(index)?;
            self.clip.write_transparent(&with_colours_beyond(&figure), time)?;
            sheet.into_iter().for_each(|sheet| sheet.push(&on_colour(&figure, WHITE)));
        } else {
            let image = match footage {
                Some(footage) => over_picture(&drafts.figure(index)?, &footage.next(index)?),
                None => drafts.picture(index)?,
            };
            let frame = Frame { image, time };
            self.clip.write(&frame)?;
            sheet.into_iter().for_each(|sheet| sheet.push(&frame.image));
        }
        if let Some(clip) = &mut self.confidence {
            let image = DynamicImage::ImageLuma8(drafts.confidence(index)?).into_rgb8();
            clip.write(&Frame { image, time })?;
        }
        Ok(())
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
