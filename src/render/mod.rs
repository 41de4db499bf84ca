//! Rendering: a [`Pipeline`](pipeline::Pipeline) of networks, and the [`Animator`](animator::Animator) that makes one frame of a clip
//! after the other with it.
//!
//! 1. [`weights`] opens files, [`pipeline`] holds the networks that were loaded from them; [`pipeline_source`] is either.
//! 2. [`sampling`] plans the steps and passes of every frame; [`references`] is what they look at.
//! 3. [`denoiser`] makes the passes of a step by [`networks`], and records what was seen.
//! 4. [`draft`] is what frames take from pictures that geometry has made.
//! 5. [`animator`] puts these together for a clip, [`still`] for single pictures.
//! 6. [`clip`] renders a whole clip into a [`journal`].

pub mod animator;
pub mod attention_maps;
pub mod clip;
pub mod deep_cache;
pub mod denoiser;
pub mod draft;
pub mod feature_store;
pub mod journal;
pub mod networks;
pub mod pipeline;
pub mod pipeline_source;
pub mod prompts;
pub mod reference;
pub mod references;
pub mod sampling;
pub mod settings;
pub mod still;
pub mod trajectory;
pub mod weights;
