//! Convolutional building blocks that U-Net, ControlNet and VAE share.
//!
//! Architecture: diffusers `models/resnet.py`, `models/embeddings.py`.

use candle_core::{DType, Device, Result, Tensor};
use candle_nn::{Conv2dConfig, Module, VarBuilder};

use dreamtuner_kernels::{Convolution, GroupNorm, Linear, Passes};

/// A 3×3 convolution that keeps the size.
pub fn conv3x3(inputs: usize, outputs: usize, passes: Passes, vb: VarBuilder) -> Result<Convolution> {
    Convolution::new(inputs, outputs, 3, Conv2dConfig { padding: 1, ..Default::default() }, passes, vb)
}

/// A 1×1 convolution.
pub fn conv1x1(inputs: usize, outputs: usize, vb: VarBuilder) -> Result<Convolution> {
    Convolution::new(inputs, outputs, 1, Conv2dConfig::default(), Passes::Many, vb)
}

/// The timestep as sines and cosines, then two linear layers (`time_embedding`).
#[derive(Debug)]
pub struct TimeEmbedding {
    linear_1: Linear,
    linear_2: Linear,
    width: usize,
    flip_sin_to_cos: bool,
    frequency_shift: f64,
}

impl TimeEmbedding {
    /// `width` sines and cosines in, `4 · width` values out.
    pub fn new(width: usize, flip_sin_to_cos: bool, frequency_shift: f64, vb: VarBuilder) -> Result<Self> {
        Ok(Self {
            linear_1: Linear::new(width, 4 * width, vb.pp("linear_1"))?,
            linear_2: Linear::new(4 * width, 4 * width, vb.pp("linear_2"))?,
            width,
            flip_sin_to_cos,
            frequency_shift,
        })
    }

    /// Embeds time steps (0 to the number of training timesteps, fractions allowed): `(time steps, 4 · width)`.
    pub fn forward(&self, timesteps: &[f64], dtype: DType, device: &Device) -> Result<Tensor> {
        let half = self.width / 2;
        let step = -(10000f64.ln()) / (half as f64 - self.frequency_shift);
        let mut values: Vec<f32> = Vec::with_capacity(timesteps.len() * self.width);
        for (index, &timestep) in timesteps.iter().enumerate() {
            // Angles are formed in 32 bits as the reference implementation does: at 1000 steps the difference shows.
            let angles = (0..half).map(|i| timestep as f32 * (i as f64 * step).exp() as f32);
            let (sines, cosines) = (angles.clone().map(f32::sin), angles.map(f32::cos));
            if self.flip_sin_to_cos {
                values.extend(cosines.chain(sines));
            } else {
                values.extend(sines.chain(cosines));
            }
            values.resize((index + 1) * self.width, 0.0);
        }
        let embedding = Tensor::from_vec(values, (timesteps.len(), self.width), device)?.to_dtype(dtype)?;
        self.linear_2.forward(&self.linear_1.forward(&embedding)?.silu()?)
    }
}

/// Two convolutions with group norm and SiLU, the timestep added between them, and a skip (`ResnetBlock2D`).
#[derive(Debug)]
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Convolution,
    time_projection: Option<Linear>,
    norm2: GroupNorm,
    conv2: Convolution,
    shortcut: Option<Convolution>,
}

/// What the ResNet blocks of one network have in common.
#[derive(Debug, Clone, Copy)]
pub struct ResnetSettings {
    /// Groups of the group norms.
    pub groups: usize,
    /// The ε of the group norms.
    pub epsilon: f64,
    /// Width of the timestep's embedding; `None` in a VAE.
    pub time_width: Option<usize>,
    /// How often the network is passed through.
    pub passes: Passes,
}

impl ResnetBlock {
    /// `inputs` channels in, `outputs` channels out.
    pub fn new(inputs: usize, outputs: usize, settings: ResnetSettings, vb: VarBuilder) -> Result<Self> {
        let ResnetSettings { groups, epsilon, time_width, passes } = settings;
        Ok(Self {
            norm1: GroupNorm::new(groups, inputs, epsilon, vb.pp("norm1"))?,
            conv1: conv3x3(inputs, outputs, passes, vb.pp("conv1"))?,
            time_projection: time_width
                .map(|width| Linear::new(width, outputs, vb.pp("time_emb_proj")))
                .transpose()?,
            norm2: GroupNorm::new(groups, outputs, epsilon, vb.pp("norm2"))?,
            conv2: conv3x3(outputs, outputs, passes, vb.pp("conv2"))?,
            shortcut: (inputs != outputs)
                .then(|| conv1x1(inputs, outputs, vb.pp("conv_shortcut")))
                .transpose()?,
        })
    }

    /// `(batch, inputs, height, width)` and the embedded time steps `(1 or batch, time width)` to
    /// `(batch, outputs, height, width)`.
    pub fn forward(&self, input: &Tensor, time: Option<&Tensor>) -> Result<Tensor> {
        let shift = match (&self.time_projection, time) {
            (Some(projection), Some(time)) => Some(projection.forward(&time.silu()?)?),
            _ => None,
        };
        let hidden = self.conv1.forward_onto(&self.norm1.forward_silu(input)?, shift.as_ref(), None)?;
        let hidden = self.norm2.forward_silu(&hidden)?;
        let skip = match &self.shortcut {
            Some(shortcut) => &shortcut.forward(input)?,
            None => input,
        };
        self.conv2.forward_onto(&hidden, None, Some(skip))
    }
}

/// Halves height and width by a strided convolution (`Downsample2D`).
#[derive(Debug)]
pub struct Downsample {
    conv: Convolution,
    pad_after: bool,
}

impl Downsample {
    /// Padding on all sides, as in the U-Net: odd sizes are rounded up.
    pub fn symmetric(channels: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride: 2, padding: 1, ..Default::default() };
        Ok(Self {
            conv: Convolution::new(channels, channels, 3, config, Passes::Many, vb.pp("conv"))?,
            pad_after: false,
        })
    }

    /// Padding on the right and at the bottom only, as in the VAE.
    pub fn asymmetric(channels: usize, vb: VarBuilder) -> Result<Self> {
        let config = Conv2dConfig { stride: 2, ..Default::default() };
        Ok(Self {
            conv: Convolution::new(channels, channels, 3, config, Passes::Few, vb.pp("conv"))?,
            pad_after: true,
        })
    }

    /// `(batch, channels, height, width)` to half the height and width.
    pub fn forward(&self, input: &Tensor) -> Result<Tensor> {
        if self.pad_after {
            self.conv.forward(&input.pad_with_zeros(2, 0, 1)?.pad_with_zeros(3, 0, 1)?)
        } else {
            self.conv.forward(input)
        }
    }
}

/// Doubles height and width by repetition, then a convolution (`Upsample2D`).
#[derive(Debug)]
pub struct Upsample {
    conv: Convolution,
}

impl Upsample {
    /// Keeps the number of channels.
    pub fn new(channels: usize, passes: Passes, vb: VarBuilder) -> Result<Self> {
        Ok(Self { conv: conv3x3(channels, channels, passes, vb.pp("conv"))? })
    }

    /// `(batch, channels, height, width)` to `size` = (height, width), which is twice the input's or, where the
    /// encoder halved an odd size, one less.
    pub fn forward(&self, input: &Tensor, size: (usize, usize)) -> Result<Tensor> {
        self.conv.forward(&double(input)?.narrow(2, 0, size.0)?.narrow(3, 0, size.1)?.contiguous()?)
    }
}

/// Each value repeated twice along height and width. Written with shapes alone, so that it has a gradient.
pub(super) fn double(input: &Tensor) -> Result<Tensor> {
    let (batch, channels, height, width) = input.dims4()?;
    input
        .reshape((batch, channels, height, 1, width, 1))?
        .broadcast_as((batch, channels, height, 2, width, 2))?
        .reshape((batch, channels, 2 * height, 2 * width))
}
