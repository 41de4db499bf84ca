//! dreamtuner turns one picture of a character and a dance into an animation: Stable Diffusion, guided by ControlNet, with
//! DreamTuner's self-subject-attention (S-S-A, [arXiv 2312.13691](https://arxiv.org/abs/2312.13691)) over the reference and
//! over the previous frame.
//!
//! # A picture and poses in, frames out
//!
//! ```
//! use dreamtuner::{Animator, ClipInputs, DeviceSettings, FeatureCache, FrameInputs, Interrupt, ModelDefaults, ReferencePicture, RenderSettings};
//! use dreamtuner::{DrawSettings, ReadSettings, WeightFiles, draw_pose, read_poses};
//!
//! # fn main() -> dreamtuner::Result<()> {
//! let pipeline = WeightFiles::builtin().open()?.load(&DeviceSettings::cpu(), &mut |_| {})?;
//! let settings = RenderSettings { prompt: "smile".into(), ..RenderSettings::square(&ModelDefaults::of(None)?, 128) };
//! # let settings = RenderSettings { width: 64, height: 64, steps: 2, ..settings };
//! let image = image::open("examples/hero.png").expect("a picture").thumbnail_exact(128, 128).into_rgb8();
//! # let image = image::imageops::thumbnail(&image, 64, 64);
//! let reference = ReferencePicture { image, mask: None, controls: vec![None] };
//! let inputs = ClipInputs::encode(&pipeline, reference, &settings)?;
//! let mut animator = Animator::new(&pipeline, inputs, settings, FeatureCache::default(), Interrupt::default())?;
//! # let mut frames = 0;
//! for pose in read_poses("poses/wave.json".as_ref(), &ReadSettings::default())?.poses {
//!     let control = draw_pose(&pose, 128, 128, &DrawSettings::default());
//!     # let control = draw_pose(&pose, 64, 64, &DrawSettings::default());
//!     let frame = animator.render(FrameInputs::new(&[Some(control)]), &mut |_step| {})?.image;
//!     # assert_eq!(frame.dimensions(), (64, 64));
//!     # frames += 1;
//!     # if frames == 2 { break; }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! From files to files, with FFmpeg, a mask and a pose that are found in the picture, and a render that goes on where it was cut
//! off:
//!
//! ```no_run
//! # #[cfg(feature = "video")]
//! # fn main() -> dreamtuner::Result<()> {
//! use dreamtuner::{DeviceSettings, Interrupt, Job, ModelDefaults, PipelineSource, RenderSettings, WeightFiles, animate};
//!
//! let pipeline = PipelineSource::from_files(WeightFiles::builtin(), DeviceSettings::cpu());
//! let settings = RenderSettings { prompt: "smile".into(), ..RenderSettings::square(&ModelDefaults::of(None)?, 0) };
//! let job = Job::new("hero.png", "dance.mp4", "clip.mp4", pipeline, settings);
//! animate::run(&job, &Interrupt::default(), &mut |event| println!("{event:?}"))?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "video"))]
//! # fn main() {}
//! ```
//!
//! # The life of one frame
//!
//! 1. [`pose`] and [`video`] give a control image: a skeleton drawn from a pose file, or a frame of a skeleton video. In an
//!    ordinary video, [`detect`] finds the dancer's joints, and [`inputs::extract`] makes a sequence of poses of them, which
//!    [`pose::retarget`] gives to the reference's body.
//! 2. [`render::animator`] embeds it for each ControlNet ([`model::controlnet`]).
//! 3. [`diffusion`] takes a noisy latent through the sampler's steps, and asks the denoiser at each.
//! 4. [`render::denoiser`] makes the passes that [`render::sampling`] plans. Before a pass, [`render::references`] give what the
//!    U-Net's self-attention layers attend to. The reference picture's features are computed once a clip and kept
//!    ([`render::feature_store`]); the previous frame's are those of its own steps ([`render::trajectory`]).
//! 5. [`model::unet`] predicts the noise; its self-attention ([`model::attention`]) sees itself and the references.
//! 6. [`model::vae`] decodes the latent into a picture, [`frame`].
//! 7. [`render::journal`] keeps picture and latent on disk; a render that was cut off goes on from there.
//! 8. [`video`] encodes the picture into the clip, and copies the sound of the dance beside it.
//!
//! [`animate`] does all of this from files to files; the `dreamtuner` program is a thin layer over it.
//!
//! # Layers
//!
//! Modules use only modules of the lines before their own; a test sees to it (`tests/library/layers.rs`).
//!
//! 1. [`error`], `plan`: what everything stands on
//! 2. [`frame`], [`interrupt`], [`mask`], [`threads`]
//! 3. [`files`], [`picture`]: files of others are read, pictures laid side by side
//! 4. [`diffusion`], [`outputs`]: the samplers, and files that appear whole or not at all
//! 5. [`model`]: the networks
//! 6. [`pose`], [`render`], [`video`]
//! 7. [`detect`], [`puppet`], [`train`]
//! 8. [`inputs`]: reference, dance, sizes
//! 9. [`rig`]: figures that can be bent
//! 10. [`draft`]: figures that dance
//! 11. [`animate`], [`dataset`], [`still`]
//! 12. [`evaluate`], [`farm`]; then the program
//!
//! Below them are crates of their own: `dreamtuner-kernels`, which networks run on; `dreamtuner-random`; `dreamtuner-pose` and
//! `dreamtuner-puppet`, to which [`pose`] and [`puppet`] add the files; and `dreamtuner-warp`, by which [`rig`] and [`draft`] cut and bend a picture.
//!
//! Without the feature `video` the library needs no FFmpeg: pictures in, pictures out, by [`Animator`].

#![warn(clippy::disallowed_methods)]

#[cfg(feature = "video")]
pub mod animate;
#[cfg(feature = "video")]
pub mod dataset;
pub mod detect;
pub mod diffusion;
#[cfg(feature = "video")]
pub mod draft;
pub mod error;
#[cfg(feature = "evaluate")]
pub mod evaluate;
#[cfg(feature = "video")]
pub mod farm;
pub mod files;
pub mod frame;
#[cfg(feature = "video")]
pub mod inputs;
pub mod interrupt;
#[cfg(feature = "video")]
mod kept;
pub mod mask;
mod memory;
pub mod model;
pub mod outputs;
pub mod picture;
mod plan;
pub mod pose;
pub mod puppet;
pub mod render;
#[cfg(feature = "video")]
pub mod rig;
#[cfg(feature = "video")]
pub mod still;
pub mod threads;
#[cfg(feature = "train")]
pub mod train;
#[cfg(feature = "video")]
pub mod video;

#[cfg(feature = "video")]
pub use animate::Job;
pub use diffusion::{Guidance, NoiseSource, Sampler};
pub use error::{Error, Result};
pub use frame::Frame;
pub use interrupt::Interrupt;
pub use mask::Mask;
pub use model::DeviceSettings;
pub use model::weights::ModelDefaults;
pub use pose::{DrawSettings, Pose, PoseSequence, ReadSettings, draw_pose, read_poses};
pub use render::animator::{Animator, ClipInputs, FrameInputs, ReferencePicture, Rendered};
pub use render::feature_store::FeatureCache;
pub use render::pipeline::Pipeline;
pub use render::pipeline_source::PipelineSource;
pub use render::settings::{PreviousFeatures, RenderSettings};
pub use render::still::StillInputs;
pub use render::weights::{ControlNetFile, WeightFiles};
