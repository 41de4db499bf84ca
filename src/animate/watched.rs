//! A clip whose attention is watched while it is rendered.

use image::RgbImage;

use super::job::{ClipEvent, Job};
use super::stage::Stage;
use crate::error::Result;
use crate::interrupt::Interrupt;
use crate::mask::Mask;
use crate::model::StableDiffusion;
use crate::render::animator::Animator;
use crate::render::attention_maps::{AttentionSource, Watch, Watched};
use crate::render::clip::Progress;
use crate::render::settings::RenderSettings;
use crate::video::EncodeSettings;

/// A frame, and what it looked at.
#[derive(Debug)]
pub struct WatchedFrame<'a> {
    /// Number of the frame, from 0.
    pub index: usize,
    /// Presentation time in seconds from the start of the clip.
    pub time: f64,
    /// The frame itself, then what it looked at.
    pub pictures: Vec<(AttentionSource, &'a RgbImage)>,
    /// What attention saw.
    pub watched: Watched,
    /// The reference's mask.
    pub mask: Option<&'a Mask>,
    /// The model.
    pub model: &'a StableDiffusion,
    /// How a video of the clip's frame rate is encoded.
    pub encode: &'a EncodeSettings,
}

/// Renders the clip of a job, without its outputs and its journal, and hands each frame to `on_frame` with what attention saw.
/// `choose` says what is watched in each frame, once model and settings are known.
///
/// # Errors
/// [`crate::Error::Interrupted`]; all that [`super::run`] refuses; those of `choose` and `on_frame`.
pub fn watch(
    job: &Job,
    choose: &dyn Fn(&StableDiffusion, &RenderSettings) -> Result<Watch>,
    interrupt: &Interrupt,
    on_event: &mut dyn FnMut(ClipEvent),
    on_frame: &mut dyn FnMut(WatchedFrame) -> Result<()>,
) -> Result<()> {
    super::checks::check_settings(job)?;
    let stage = Stage::prepare(job, None, interrupt, on_event)?;
    let watch = choose(&stage.pipeline.model, &stage.settings)?;
    let inputs = stage.inputs()?;
    let Stage { pipeline, settings, reference, encode, .. } = &stage;
    let mut animator = Animator::new(pipeline, inputs, settings.clone(), job.cache, interrupt.clone())?;
    on_event(ClipEvent::Begin {
        frames: stage.pose.frames,
        finished: 0,
        width: settings.width,
        height: settings.height,
    });
    let steps = animator.steps();
    let (mut first, mut previous): (Option<RgbImage>, Option<RgbImage>) = (None, None);
    for (index, control) in stage.control_frames(job.fit, |_| true)?.enumerate() {
        let control = control.map_err(|error| error.at_frame(index))?;
        if control.is_cut {
            animator.forget_previous();
            previous = None;
        }
        animator.watch(watch.clone());
        let mut after_step =
            |done| on_event(ClipEvent::Progress(Progress::Step { frame: index, done, steps }));
        let picture =
            animator.render(control.inputs(), &mut after_step).map_err(|error| error.at_frame(index))?.image;
        let mut pictures =
            vec![(AttentionSource::Itself, &picture), (AttentionSource::Reference, &reference.image)];
        let looked_back = [
            (AttentionSource::First, settings.first_weight, first.as_ref()),
            (AttentionSource::Previous, settings.previous_weight, previous.as_ref()),
        ];
        let draft = control.draft.as_ref().filter(|_| settings.draft.weight > 0.0);
        pictures.extend(draft.map(|draft| (AttentionSource::Draft, &draft.image)));
        for (source, weight, frame) in looked_back {
            pictures.extend(frame.filter(|_| weight > 0.0).map(|frame| (source, frame)));
        }
        let mask = reference.mask.as_ref();
        let watched = animator.take_watched();
        let model = &pipeline.model;
        on_frame(WatchedFrame { index, time: control.time, pictures, watched, mask, model, encode })?;
        on_event(ClipEvent::Progress(Progress::Frame { frame: index }));
        if first.is_none() {
            first = Some(picture.clone());
        }
        previous = Some(picture);
    }
    Ok(())
}
