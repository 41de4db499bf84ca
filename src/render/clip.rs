//! A whole clip: control images are prepared, frames rendered and pictures handed on at the same time, each in a
//! thread of its own, with short queues between them.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use image::RgbImage;

use crate::error::{Error, Result};
use crate::frame::Frame;
use crate::render::animator::{Animator, FrameInputs};
use crate::render::draft::DraftFrame;
use crate::render::journal::Journal;

/// Control images of one frame.
#[derive(Debug, Clone)]
pub struct ControlFrame {
    /// Presentation time in seconds from the start of the clip.
    pub time: f64,
    /// One image for each ControlNet, of the frames' size.
    pub images: Vec<Option<RgbImage>>,
    /// Its draft, if frames use any.
    pub draft: Option<DraftFrame>,
    /// Whether another scene begins: the frame before is then no reference.
    pub is_cut: bool,
}

impl ControlFrame {
    /// What the frame is made from.
    pub fn inputs(&self) -> FrameInputs<'_> {
        FrameInputs { controls: &self.images, draft: self.draft.as_ref() }
    }
}

/// A rendered frame with the control images that it was rendered from.
#[derive(Debug, Clone)]
pub struct FinishedFrame {
    /// Index of the frame, from 0.
    pub index: usize,
    /// The picture.
    pub frame: Frame,
    /// Its control images.
    pub controls: Vec<Option<RgbImage>>,
}

/// How far a render is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// A frame was found in the journal.
    Resumed {
        /// Index of the frame.
        frame: usize,
    },
    /// A step of a frame is done.
    Step {
        /// Index of the frame.
        frame: usize,
        /// Steps done.
        done: usize,
        /// Steps in all.
        steps: usize,
    },
    /// A frame is finished and in the journal.
    Frame {
        /// Index of the frame.
        frame: usize,
    },
}

/// How a render ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Every frame is finished.
    Complete {
        /// Number of frames.
        frames: usize,
    },
    /// The user asked to stop.
    Interrupted {
        /// Number of frames that are finished.
        frames: usize,
    },
}

/// Frames waiting between two threads.
const QUEUE: usize = 4;

/// Renders every frame of `controls` that is not in the journal, and hands all of them to `sink` in order.
///
/// # Errors
/// The first error of any of the three threads. Frames finished before it are in the journal.
pub fn render_clip(
    animator: &mut Animator,
    journal: &mut Journal,
    controls: impl Iterator<Item = Result<ControlFrame>> + Send,
    mut sink: impl FnMut(FinishedFrame) -> Result<()> + Send,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome> {
    thread::scope(|scope| {
        let (control_sender, control_receiver) = sync_channel(QUEUE);
        let (frame_sender, frame_receiver) = sync_channel::<FinishedFrame>(QUEUE);
        scope.spawn(move || {
            for control in controls {
                // The receiver is gone once rendering has stopped: nothing is left to prepare.
                if control_sender.send(control).is_err() {
                    break;
                }
            }
        });
        let handing_on = scope.spawn(move || frame_receiver.into_iter().try_for_each(&mut sink));
        let rendered = render_frames(animator, journal, control_receiver, frame_sender, progress);
        match handing_on.join() {
            Ok(handed_on) => handed_on.and(rendered),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

fn render_frames(
    animator: &mut Animator,
    journal: &mut Journal,
    controls: Receiver<Result<ControlFrame>>,
    finished: SyncSender<FinishedFrame>,
    progress: &mut dyn FnMut(Progress),
) -> Result<Outcome> {
    let steps = animator.steps();
    let already = journal.finished();
    for (index, control) in controls.into_iter().enumerate() {
        let control = control.map_err(|error| error.at_frame(index))?;
        let image = if index < already {
            if index == 0 || index + 1 == already {
                let last = index + 1 == already && animator.wants_trajectory();
                let trajectory = last.then(|| journal.trajectory(index)).transpose()?;
                animator.resume_after(index, journal.latent(index)?, control.inputs(), trajectory)?;
            }
            progress(Progress::Resumed { frame: index });
            journal.picture(index)?
        } else {
            if control.is_cut {
                animator.forget_previous();
            }
            let mut after_step = |done| progress(Progress::Step { frame: index, done, steps });
            let rendered = match animator.render(control.inputs(), &mut after_step) {
                Ok(rendered) => rendered,
                Err(Error::Interrupted) => return Ok(Outcome::Interrupted { frames: index }),
                Err(error) => return Err(error.at_frame(index)),
            };
            journal.push(&rendered)?;
            progress(Progress::Frame { frame: index });
            rendered.image
        };
        let frame = Frame { image, time: control.time };
        // The other end is gone only after an error, which the caller then sees.
        if finished.send(FinishedFrame { index, frame, controls: control.images }).is_err() {
            break;
        }
    }
    Ok(Outcome::Complete { frames: journal.finished() })
}
