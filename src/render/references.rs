//! The pictures that the frames of a clip look at: the reference, the first frame, the previous one.

use std::collections::BTreeMap;
use std::sync::Arc;

use candle_core::Device;

use crate::diffusion::{Pass, Step};
use crate::error::Result;
use crate::model::transformer::{LayerFeatures, ReferencePass};
use crate::render::attention_maps::AttentionSource;
use crate::render::networks::Networks;
use crate::render::reference::CachedReference;
use crate::render::sampling::SamplingPlan;
use crate::render::trajectory::{Trajectory, TrajectoryTensors};

/// What a frame looks at.
#[derive(Debug)]
pub struct References {
    /// Those that stay the same for the whole clip.
    pub(super) lasting: Vec<CachedReference>,
    /// The frame's own draft.
    pub(super) draft: Option<CachedReference>,
    /// The previous frame.
    pub(super) look_back: LookBack,
}

/// How a frame looks back at the one before.
#[derive(Debug)]
pub enum LookBack {
    /// Not at all.
    Nothing,
    /// At the finished frame, noised again at each step, as published; `None` before the first frame and at a cut.
    Renoised(Option<CachedReference>),
    /// At what entered its layers while it was made, at the same step.
    Trajectory(Trajectory),
}

/// What the self-attention layers of a pass attend to.
pub type AttendedPasses = Vec<(AttentionSource, Arc<ReferencePass>)>;

impl References {
    /// `lasting` references, and what is known of the previous frame.
    pub fn new(lasting: Vec<CachedReference>, look_back: LookBack) -> Self {
        Self { lasting, draft: None, look_back }
    }

    /// What every self-attention layer attends to in a pass.
    ///
    /// # Errors
    /// [`crate::Error::Interrupted`] and failures of the networks.
    pub(super) fn attended(
        &mut self,
        networks: &Networks,
        plan: &SamplingPlan,
        step: &Step,
        pass: Pass,
    ) -> Result<AttendedPasses> {
        let Some(noise) = pass.references else { return Ok(Vec::new()) };
        let time = plan.reference_time(noise, step);
        let previous = match &mut self.look_back {
            LookBack::Renoised(previous) => previous.as_mut(),
            LookBack::Nothing | LookBack::Trajectory(_) => None,
        };
        let mut passes = Vec::new();
        for reference in self.lasting.iter_mut().chain(&mut self.draft).chain(previous) {
            let pass = reference.pass(networks, step, (step.index, noise), time)?;
            passes.extend(pass.map(|pass| (reference.source(), pass)));
        }
        if let LookBack::Trajectory(trajectory) = &self.look_back {
            let pass = trajectory.at(step.index)?;
            passes.extend(pass.map(|pass| (AttentionSource::Previous, Arc::new(pass))));
        }
        Ok(passes)
    }

    /// Whether [`Self::keep`] wants to know what enters the layers.
    pub(super) fn keeps_features(&self) -> bool {
        matches!(self.look_back, LookBack::Trajectory(_))
    }

    /// Keeps what entered the layers in the pass that the next frame looks back at: that of `picture` in its batch.
    pub(super) fn keep(
        &mut self,
        step: &Step,
        picture: usize,
        layers: BTreeMap<usize, LayerFeatures>,
    ) -> Result<()> {
        match &mut self.look_back {
            LookBack::Trajectory(trajectory) => trajectory.keep(step.index, picture, layers),
            LookBack::Nothing | LookBack::Renoised(_) => Ok(()),
        }
    }

    /// A new frame begins, with its draft if it looks at one.
    pub(super) fn begin_frame(&mut self, draft: Option<CachedReference>) {
        self.draft = draft;
        if let LookBack::Trajectory(trajectory) = &mut self.look_back {
            trajectory.begin();
        }
    }

    /// The frame is finished.
    pub(super) fn end_frame(&mut self) {
        if let LookBack::Trajectory(trajectory) = &mut self.look_back {
            trajectory.advance();
        }
    }

    /// Leaves the previous frame out of the next one's references, as at a cut.
    pub(super) fn forget_previous(&mut self) {
        match &mut self.look_back {
            LookBack::Nothing => {}
            LookBack::Renoised(previous) => *previous = None,
            LookBack::Trajectory(trajectory) => trajectory.forget(),
        }
    }

    /// Takes up the trajectory of a frame, where frames look back at one.
    ///
    /// # Errors
    /// Tensors that are no trajectory.
    pub(super) fn resume(&mut self, tensors: TrajectoryTensors, device: &Device) -> Result<()> {
        match &mut self.look_back {
            LookBack::Trajectory(trajectory) => trajectory.resume(tensors, device),
            LookBack::Nothing | LookBack::Renoised(_) => Ok(()),
        }
    }

    /// The trajectory, where frames look back at one.
    pub(super) fn trajectory(&self) -> Option<&Trajectory> {
        match &self.look_back {
            LookBack::Trajectory(trajectory) => Some(trajectory),
            LookBack::Nothing | LookBack::Renoised(_) => None,
        }
    }
}
