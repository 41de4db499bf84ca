//! What is measured of a clip.

use std::collections::BTreeMap;

use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::metrics::{
    JointCount, Likeness, colour_likeness, flicker, joints_found, mean_absolute_difference,
    mean_absolute_difference_inside, psnr, share_of_change, ssim,
};
use super::statistics::Estimate;
use super::truth::Truth;
use crate::error::Result;
use crate::model::clip::{Clip, cosine};
use crate::puppet::Picture;

/// The measures, in the order of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Metric {
    /// Mean absolute difference, 0 to 255.
    L1,
    /// Mean absolute difference inside the figure's mask, 0 to 255.
    FigureL1,
    /// Mean absolute difference where the frame's draft is not sure, 0 to 255.
    UnsureL1,
    /// Peak signal-to-noise ratio in dB.
    Psnr,
    /// Structural similarity, up to 1.
    Ssim,
    /// Cosine of CLIP's vectors of result and reference (puppets), true frame (clips) or real pictures (subjects).
    ClipI,
    /// Cosine of DINO's vectors of result and real pictures.
    Dino,
    /// Cosine of CLIP's vectors of result and caption.
    ClipT,
    /// Colour likeness, mean over the parts of the figure, 0 to 1.
    Colour,
    /// How much of the change from the reference's expression to the told one is seen: 0 none, 1 all of it.
    Expression,
    /// PCK@0.1, 0 to 1.
    Pck,
    /// Change between frames that is not the truth's, 0 to 255.
    Flicker,
    /// Seconds a frame.
    Seconds,
}

impl Metric {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::L1,
        Self::FigureL1,
        Self::UnsureL1,
        Self::Psnr,
        Self::Ssim,
        Self::ClipI,
        Self::Dino,
        Self::ClipT,
        Self::Colour,
        Self::Expression,
        Self::Pck,
        Self::Flicker,
        Self::Seconds,
    ];

    /// Heading of its column.
    pub fn title(self) -> &'static str {
        match self {
            Self::L1 => "L1",
            Self::FigureL1 => "L1 figure",
            Self::UnsureL1 => "L1 unsure",
            Self::Psnr => "PSNR dB",
            Self::Ssim => "SSIM",
            Self::ClipI => "CLIP-I",
            Self::Dino => "DINO",
            Self::ClipT => "CLIP-T",
            Self::Colour => "colour",
            Self::Expression => "expression",
            Self::Pck => "PCK@0.1",
            Self::Flicker => "flicker",
            Self::Seconds => "s/frame",
        }
    }

    /// Decimals that are shown.
    pub fn decimals(self) -> usize {
        match self {
            Self::L1 | Self::FigureL1 | Self::UnsureL1 | Self::Psnr | Self::Flicker | Self::Seconds => 2,
            Self::Ssim
            | Self::ClipI
            | Self::Dino
            | Self::ClipT
            | Self::Colour
            | Self::Expression
            | Self::Pck => 3,
        }
    }

    /// Heading of its column, with an arrow towards what is better.
    pub fn heading(self) -> String {
        format!("{} {}", self.title(), if self.more_is_better() { "↑" } else { "↓" })
    }

    /// A mean, ± half of its interval; one value alone has none.
    pub fn with_margin(self, estimate: &Estimate) -> String {
        let (digits, mean) = (self.decimals(), estimate.mean);
        if estimate.count < 2 {
            return format!("{mean:.digits$}");
        }
        format!("{mean:.digits$} ± {:.digits$}", estimate.margin())
    }

    /// Whether more is better.
    pub fn more_is_better(self) -> bool {
        !matches!(self, Self::L1 | Self::FigureL1 | Self::UnsureL1 | Self::Flicker | Self::Seconds)
    }
}

/// Measures of one clip: means over its frames.
pub type Scores = BTreeMap<Metric, f64>;

/// One finished clip.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ClipResult {
    /// Everything that decides the result; a result with another plan is not taken for this one.
    pub plan: Value,
    /// Seed of the puppet.
    pub identity: u64,
    /// Name of the dance.
    pub dance: String,
    /// The measures.
    pub scores: Scores,
    /// Colour likeness of each part of the figure.
    pub parts: BTreeMap<String, f64>,
}

/// Compares `result` with the truth, frame by frame. The measures that cannot be taken (CLIP where there is none, flicker of
/// a single frame, the change of an expression that does not change) are left out.
///
/// # Errors
/// Failures of CLIP.
pub fn score(
    result: &[RgbImage],
    truth: &Truth,
    clip: Option<&Clip>,
) -> Result<(Scores, BTreeMap<String, f64>)> {
    let frames: Vec<FrameScores> = result
        .par_iter()
        .zip(&truth.frames)
        .enumerate()
        .map(|(frame, (image, told))| FrameScores::new(image, told, truth.untold(frame).as_ref()))
        .collect();
    let mut scores = Scores::new();
    let mut put = |metric: Metric, values: &mut dyn Iterator<Item = f64>| {
        if let Some(mean) = mean(values) {
            scores.insert(metric, mean);
        }
    };
    put(Metric::L1, &mut frames.iter().map(|frame| frame.l1));
    put(Metric::FigureL1, &mut frames.iter().map(|frame| frame.figure_l1));
    put(Metric::Psnr, &mut frames.iter().map(|frame| frame.psnr));
    put(Metric::Ssim, &mut frames.iter().filter_map(|frame| frame.ssim));
    put(Metric::Colour, &mut frames.iter().filter_map(|frame| mean(&mut frame.colour.values().copied())));
    put(Metric::Expression, &mut frames.iter().filter_map(|frame| frame.expression));
    let joints = frames.iter().fold(JointCount::default(), |sum, frame| sum.plus(frame.joints));
    put(Metric::Pck, &mut joints.share().into_iter());
    put(Metric::Flicker, &mut flicker(result, &truth.pictures()).into_iter());
    if let Some(clip) = clip {
        let (reference, text) = (clip.image(&truth.reference.image)?, clip.text(&truth.caption)?);
        let vectors = result.iter().map(|image| clip.image(image)).collect::<Result<Vec<_>>>()?;
        put(Metric::ClipI, &mut vectors.iter().map(|vector| cosine(vector, &reference)));
        put(Metric::ClipT, &mut vectors.iter().map(|vector| cosine(vector, &text)));
    }
    Ok((scores, part_means(&frames)))
}

/// Measures of one frame.
struct FrameScores {
    l1: f64,
    figure_l1: f64,
    psnr: f64,
    ssim: Option<f64>,
    colour: Likeness,
    expression: Option<f64>,
    joints: JointCount,
}

impl FrameScores {
    /// `untold` is the truth with the reference's expression, where that is another one.
    fn new(result: &RgbImage, truth: &Picture, untold: Option<&RgbImage>) -> Self {
        let labels = truth.labels.as_ref();
        Self {
            l1: mean_absolute_difference(result, &truth.image),
            figure_l1: mean_absolute_difference_inside(result, &truth.image, &truth.mask),
            psnr: psnr(result, &truth.image),
            ssim: ssim(result, &truth.image),
            colour: labels.map(|labels| colour_likeness(result, &truth.image, labels)).unwrap_or_default(),
            expression: untold.and_then(|untold| share_of_change(result, untold, &truth.image)),
            joints: joints_found(result, &truth.image, &truth.pose),
        }
    }
}

fn part_means(frames: &[FrameScores]) -> BTreeMap<String, f64> {
    let mut parts: BTreeMap<String, Vec<f64>> = BTreeMap::new();
    for (part, value) in frames.iter().flat_map(|frame| &frame.colour) {
        parts.entry(part.name().to_owned()).or_default().push(*value);
    }
    parts.into_iter().filter_map(|(part, values)| Some((part, mean(&mut values.into_iter())?))).collect()
}

/// The mean; `None` of nothing.
pub fn mean(values: &mut dyn Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0usize), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / count as f64)
}
