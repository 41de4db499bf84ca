//! What self-subject-attention looks at. The features that enter the layers are kept while a picture is made, which changes nothing of
//! it; the weights are formed from them afterwards.

use std::collections::BTreeMap;

use candle_core::Tensor;

use crate::error::{Error, Result};
use crate::mask::Mask;
use crate::model::attention::ReferenceTokens;
use crate::model::transformer::{LayerFeatures, ReferencePass, masked_tokens};
use crate::model::unet::UNet;

/// What a picture looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AttentionSource {
    /// Itself.
    Itself,
    /// The reference picture.
    Reference,
    /// The first frame.
    First,
    /// The previous frame.
    Previous,
    /// The frame's draft.
    Draft,
}

impl AttentionSource {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Reference => "reference",
            Self::First => "first",
            Self::Previous => "previous",
            Self::Draft => "draft",
        }
    }
}

/// What a layer saw at a step, in the pass towards prompt and references.
#[derive(Debug, Clone)]
pub struct Captured {
    /// Number of the step, from 0.
    pub step: usize,
    /// Number of the layer in the forward pass, from 0.
    pub layer: usize,
    features: LayerFeatures,
    references: Vec<(AttentionSource, ReferenceTokens)>,
}

/// How much of its attention a picture gave, in a layer at a step, to itself and to each reference. The shares are means over
/// all tokens and heads, and add up to 1.
#[derive(Debug, Clone)]
pub struct LayerShares {
    /// Number of the step, from 0.
    pub step: usize,
    /// Number of the layer in the forward pass, from 0.
    pub layer: usize,
    /// The shares.
    pub shares: Vec<(AttentionSource, f64)>,
}

/// Steps and layers that are watched while a picture is made.
#[derive(Debug, Clone)]
pub struct Watch {
    steps: Vec<usize>,
    layers: Vec<usize>,
    sums: bool,
    watched: Watched,
}

/// What has been watched, by step and layer.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// What the chosen layers saw at the chosen steps.
    pub captured: Vec<Captured>,
    /// The shares of all layers at all steps, if they were asked for.
    pub shares: Vec<LayerShares>,
}

/// Where some tokens of the picture look.
#[derive(Debug, Clone)]
pub struct Map {
    /// At what.
    pub source: AttentionSource,
    /// Height of the grid.
    pub height: usize,
    /// Width of the grid.
    pub width: usize,
    /// For each head and query a grid of weights, row by row. Over all maps of a query and head they add up to 1.
    pub weights: Vec<Vec<Vec<f32>>>,
}

/// Queries whose scores are formed at once.
const QUERIES_AT_ONCE: usize = 256;

impl Watch {
    /// Watches `layers` (numbers in the forward pass) at `steps`.
    pub fn new(steps: Vec<usize>, layers: Vec<usize>) -> Self {
        Self { steps, layers, sums: false, watched: Watched::default() }
    }

    /// Sums up the shares of all layers at all steps besides. Features are not kept for that: they may be gigabytes.
    pub fn with_shares(self) -> Self {
        Self { sums: true, ..self }
    }

    /// Whether a step is watched.
    pub(super) fn wants(&self, step: usize) -> bool {
        self.sums || self.steps.contains(&step)
    }

    /// Keeps what one picture of a pass saw.
    pub(super) fn keep(
        &mut self,
        step: usize,
        picture: usize,
        layers: &BTreeMap<usize, LayerFeatures>,
        references: &[(AttentionSource, &ReferencePass)],
        unet: &UNet,
    ) -> Result<()> {
        for (&layer, entered) in layers {
            let is_chosen = self.steps.contains(&step) && self.layers.contains(&layer);
            if !is_chosen && !self.sums {
                continue;
            }
            let references =
                references.iter().filter_map(|(role, pass)| Some((*role, pass.get(&layer)?.clone())));
            let captured = Captured {
                step,
                layer,
                features: LayerFeatures { features: entered.features.narrow(0, picture, 1)?, ..*entered },
                references: references.collect(),
            };
            if self.sums {
                self.watched.shares.push(LayerShares { step, layer, shares: captured.shares(unet)? });
            }
            if is_chosen {
                self.watched.captured.push(captured);
            }
        }
        Ok(())
    }

    /// What has been watched.
    pub fn into_watched(self) -> Watched {
        self.watched
    }
}

impl Captured {
    /// Height and width of the layer's grid.
    pub fn grid(&self) -> (usize, usize) {
        (self.features.height, self.features.width)
    }

    /// Where the tokens `queries` look. `mask` is the reference's.
    ///
    /// # Errors
    /// Queries outside the grid, a layer that `unet` does not have, failures of the device.
    pub fn maps(&self, unet: &UNet, mask: Option<&Mask>, queries: &[u32]) -> Result<Vec<Map>> {
        let (height, width) = self.grid();
        let mut maps = Vec::new();
        for (source, weights) in self.weights(unet, queries)? {
            let kept: Option<Vec<u32>> = match (source, mask) {
                (AttentionSource::Reference, Some(mask)) => {
                    Some(masked_tokens(mask, height, width).map(|(token, _)| token).collect())
                }
                _ => None,
            };
            let spread = |values: Vec<f32>| match &kept {
                None => values,
                Some(kept) => {
                    let mut grid = vec![0.0; height * width];
                    kept.iter().zip(values).for_each(|(&token, value)| grid[token as usize] = value);
                    grid
                }
            };
            let weights: Vec<Vec<Vec<f32>>> = weights.to_vec3()?;
            let weights =
                weights.into_iter().map(|head| head.into_iter().map(spread).collect::<Vec<_>>()).collect();
            maps.push(Map { source, height, width, weights });
        }
        Ok(maps)
    }

    /// How much of its attention the picture gives to each: means over all tokens and heads, which add up to 1.
    ///
    /// # Errors
    /// Failures of the device.
    pub fn shares(&self, unet: &UNet) -> Result<Vec<(AttentionSource, f64)>> {
        let (height, width) = self.grid();
        let tokens: Vec<u32> = (0..(height * width) as u32).collect();
        let mut sums: BTreeMap<AttentionSource, f64> = BTreeMap::new();
        for queries in tokens.chunks(QUERIES_AT_ONCE) {
            for (source, weights) in self.weights(unet, queries)? {
                let sum = f64::from(weights.sum(2)?.mean(0)?.sum_all()?.to_scalar::<f32>()?);
                *sums.entry(source).or_default() += sum;
            }
        }
        Ok(sums.into_iter().map(|(source, sum)| (source, sum / tokens.len() as f64)).collect())
    }

    /// `(heads, queries, tokens)` for the picture itself and each reference.
    fn weights(&self, unet: &UNet, queries: &[u32]) -> Result<Vec<(AttentionSource, Tensor)>> {
        let (height, width) = self.grid();
        if let Some(query) = queries.iter().find(|query| **query as usize >= height * width) {
            let problem = format!("token {query}; the layer has {}", height * width);
            return Err(Error::setting("at", problem));
        }
        let layers = unet.self_attentions();
        let (_, attention) = layers.get(self.layer).ok_or_else(|| {
            Error::setting("layer", format!("{}; the U-Net has {}", self.layer, layers.len()))
        })?;
        let references: Vec<&ReferenceTokens> = self.references.iter().map(|(_, tokens)| tokens).collect();
        let weights = attention.weights(&self.features.features, &references, queries)?;
        let of_references = self.references.iter().map(|(source, _)| *source);
        let sources = [AttentionSource::Itself].into_iter().chain(of_references);
        Ok(sources.zip(weights).collect())
    }
}
