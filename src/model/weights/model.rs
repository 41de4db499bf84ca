//! A whole model: its networks, noise schedule and tokenizer.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::folder::{read_json, read_preprocessor};
use super::keys::is_harmless;
use super::networks::Part;
use super::part::PartFiles;
use super::subject::SubjectEncoderFiles;
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};

/// Where a model's tokenizer comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenizerFiles {
    /// A folder with `vocab.json` and `merges.txt`, or `tokenizer.json`.
    Folder(PathBuf),
    /// The contents of these files.
    Contents {
        /// `vocab.json`.
        vocab: Cow<'static, str>,
        /// `merges.txt`.
        merges: Cow<'static, str>,
        /// `tokenizer_config.json`.
        config: Cow<'static, str>,
    },
    /// The standard CLIP tokenizer, for single files, which hold none.
    Clip {
        /// SD 2.x fills up with `!` (id 0), SD 1.x with the end token.
        pad_with_exclamation: bool,
    },
}

/// A whole model. Nothing but headers and configurations has been read.
#[derive(Debug, Clone)]
pub struct ModelFiles {
    /// The denoising network.
    pub unet: PartFiles,
    /// The autoencoder.
    pub vae: PartFiles,
    /// The text encoder.
    pub text_encoder: PartFiles,
    /// A ControlNet, if the model brings one.
    pub controlnet: Option<PartFiles>,
    /// CLIP's image encoder, if the model brings one.
    pub image_encoder: Option<PartFiles>,
    /// `preprocessor_config.json`: how pictures are prepared for the image encoder, if the model says so.
    pub feature_extractor: Option<Value>,
    /// A subject encoder, if the model brings one.
    pub subject_encoder: Option<SubjectEncoderFiles>,
    /// `scheduler_config.json`. Of a single file the usual one of its family: ε for SD 1.x, v for SD 2.x, unless the
    /// file says otherwise.
    pub scheduler: Value,
    /// The tokenizer.
    pub tokenizer: TokenizerFiles,
    /// Tensors of a single file that belong to none of the parts.
    pub unrecognised: Vec<String>,
}

impl ModelFiles {
    /// Opens a diffusers folder or a single .safetensors file.
    ///
    /// # Errors
    /// As [`PartFiles::open`], for any of its parts; a folder of another kind of model.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_with_configs(path, None)
    }

    /// Opens a model whose configurations are replaced by those found in `configs`, a folder in the diffusers layout
    /// (`unet/config.json`, `scheduler/scheduler_config.json`, `tokenizer/`…; what it lacks is taken from the model).
    pub fn open_with_configs(path: &Path, configs: Option<&Path>) -> Result<Self> {
        if let Some(folder) = configs.filter(|folder| !folder.is_dir()) {
            return Err(Error::weights(folder, "is not a folder with configurations"));
        }
        if path.is_dir() { Self::open_folder(path, configs) } else { Self::open_file(path, configs) }
    }

    /// Opens a subject encoder, or an IP-Adapter, for this model, whose image encoder it looks with where it brings none.
    ///
    /// # Errors
    /// Those of [`SubjectEncoderFiles::open`].
    pub fn open_subject_encoder(&self, path: &Path) -> Result<SubjectEncoderFiles> {
        let own = self.image_encoder.as_ref().map(|encoder| (encoder, self.feature_extractor.as_ref()));
        SubjectEncoderFiles::open(path, &self.unet, own)
    }

    /// The U-Net's weights, with the attention of `subject`.
    pub fn unet_with(&self, subject: Option<&SubjectEncoderFiles>) -> PartFiles {
        subject.map_or_else(|| self.unet.clone(), |subject| self.unet.with(&subject.attention))
    }

    fn open_folder(folder: &Path, configs: Option<&Path>) -> Result<Self> {
        check_pipeline(folder)?;
        let open = |part: Part| {
            PartFiles::in_folder(
                &folder.join(part.folder()),
                part,
                replacement(configs, part.folder(), "config.json")?,
            )
        };
        let scheduler = match replacement(configs, "scheduler", "scheduler_config.json")? {
            Some(scheduler) => scheduler,
            None => read_json(&folder.join("scheduler").join("scheduler_config.json"))?,
        };
        let tokenizer = match tokenizer_folder(configs) {
            Some(folder) => folder,
            None => folder.join("tokenizer"),
        };
        if !tokenizer.is_dir() {
            return Err(Error::weights(
                &tokenizer,
                "not found; vocab.json and merges.txt are expected there",
            ));
        }
        let optional = |part: Part| folder.join(part.folder()).is_dir().then(|| open(part)).transpose();
        let mut model = Self {
            unet: open(Part::Unet)?,
            vae: open(Part::Vae)?,
            text_encoder: open(Part::TextEncoder)?,
            controlnet: optional(Part::ControlNet)?,
            image_encoder: optional(Part::ImageEncoder)?,
            feature_extractor: read_preprocessor(&folder.join("feature_extractor"))?,
            subject_encoder: None,
            scheduler,
            tokenizer: TokenizerFiles::Folder(tokenizer),
            unrecognised: Vec::new(),
        };
        if folder.join(Part::SubjectEncoder.folder()).is_dir() {
            model.subject_encoder = Some(model.open_subject_encoder(folder)?);
        }
        Ok(model)
    }

    fn open_file(path: &Path, configs: Option<&Path>) -> Result<Self> {
        let file = Arc::new(TensorFile::open(path)?);
        let open =
            |part: Part| PartFiles::in_file(&file, part, replacement(configs, part.folder(), "config.json")?);
        let (unet, vae, text_encoder) = (open(Part::Unet)?, open(Part::Vae)?, open(Part::TextEncoder)?);
        let has_controlnet = file.tensors().keys().any(|key| Part::ControlNet.owns(key));
        let second_generation = unet.is_second_generation() || text_encoder.is_second_generation();
        let scheduler = match replacement(configs, "scheduler", "scheduler_config.json")? {
            Some(scheduler) => scheduler,
            None => default_scheduler(&file, second_generation),
        };
        let tokenizer = tokenizer_folder(configs)
            .map_or(TokenizerFiles::Clip { pad_with_exclamation: second_generation }, TokenizerFiles::Folder);
        Ok(Self {
            unet,
            vae,
            text_encoder,
            controlnet: has_controlnet.then(|| open(Part::ControlNet)).transpose()?,
            image_encoder: None,
            feature_extractor: None,
            subject_encoder: None,
            scheduler,
            tokenizer,
            unrecognised: unrecognised(&file),
        })
    }
}

/// A file of `configs` that stands in for the model's own.
fn replacement(configs: Option<&Path>, folder: &str, file: &str) -> Result<Option<Value>> {
    let path = configs.map(|configs| configs.join(folder).join(file)).filter(|path| path.exists());
    path.map(|path| read_json(&path)).transpose()
}

fn tokenizer_folder(configs: Option<&Path>) -> Option<PathBuf> {
    configs.map(|configs| configs.join("tokenizer")).filter(|folder| folder.is_dir())
}

/// Refuses folders of other pipelines, and folders that hold no model.
fn check_pipeline(folder: &Path) -> Result<()> {
    let index = folder.join("model_index.json");
    let class = if index.exists() { read_json(&index)?.get("_class_name").cloned() } else { None };
    let class = class.as_ref().and_then(Value::as_str).unwrap_or_default();
    let wanted =
        "Stable Diffusion 1.x and 2.x folders (unet, vae, text_encoder, tokenizer, scheduler) can be used";
    if class.contains("XL") || folder.join("text_encoder_2").is_dir() {
        return Err(Error::weights(folder, format!("is a model of SDXL's kind ({class}); only {wanted}")));
    }
    if !folder.join(Part::Unet.folder()).is_dir() {
        let class = if class.is_empty() { String::new() } else { format!(" (it is a {class})") };
        return Err(Error::weights(folder, format!("has no folder unet{class}; only {wanted}")));
    }
    Ok(())
}

/// The schedule that Stable Diffusion was trained with.
fn default_scheduler(file: &TensorFile, second_generation: bool) -> Value {
    let prediction =
        stated_prediction(file).unwrap_or(if second_generation { "v_prediction" } else { "epsilon" });
    json!({
        "_class_name": "DDIMScheduler",
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "beta_start": 0.00085,
        "clip_sample": false,
        "num_train_timesteps": 1000,
        "prediction_type": prediction,
        "rescale_betas_zero_snr": file.shape("ztsnr").is_some(),
        "set_alpha_to_one": false,
        "steps_offset": 1,
        "timestep_spacing": "leading",
    })
}

/// The prediction type that a single file states: in its header (the model specification of Stability AI), or by the
/// empty tensor `v_pred`.
pub(super) fn stated_prediction(file: &TensorFile) -> Option<&'static str> {
    if file.shape("v_pred").is_some() {
        return Some("v_prediction");
    }
    match file.metadata().get("modelspec.prediction_type").map(String::as_str) {
        Some("v" | "v_prediction") => Some("v_prediction"),
        Some("epsilon") => Some("epsilon"),
        _ => None,
    }
}

fn unrecognised(file: &TensorFile) -> Vec<String> {
    let known = |key: &str| Part::ALL.into_iter().any(|part| part.owns(key)) || is_harmless(key);
    file.tensors().keys().filter(|key| !known(key)).cloned().collect()
}
