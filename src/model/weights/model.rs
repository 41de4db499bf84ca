//! A whole model: its networks, noise schedule and tokenizer.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::folder::read_json;
use super::keys::is_harmless;
use super::network_files::{NetworkConfig, NetworkFiles};
use super::networks::Part;
use super::part::PartFiles;
use super::preprocessor::Preprocessor;
use super::scheduler::SchedulerFile;
use super::subject::SubjectEncoderFiles;
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};
use crate::model::config::{ImageEncoderConfig, TextConfig, UNetConfig, VaeConfig};

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
    pub unet: NetworkFiles<UNetConfig>,
    /// The autoencoder.
    pub vae: NetworkFiles<VaeConfig>,
    /// The text encoder.
    pub text_encoder: NetworkFiles<TextConfig>,
    /// A ControlNet, if the model brings one.
    pub controlnet: Option<NetworkFiles<UNetConfig>>,
    /// CLIP's image encoder, if the model brings one.
    pub image_encoder: Option<NetworkFiles<ImageEncoderConfig>>,
    /// How pictures are prepared for the image encoder.
    pub preprocessor: Preprocessor,
    /// A subject encoder, if the model brings one.
    pub subject_encoder: Option<SubjectEncoderFiles>,
    /// `scheduler_config.json`. Of a single file the usual one of its family: ε for SD 1.x, v for SD 2.x, unless the
    /// file says otherwise.
    pub scheduler: SchedulerFile,
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
        let own = self.image_encoder.as_ref().map(|encoder| (encoder, &self.preprocessor));
        SubjectEncoderFiles::open(path, &self.unet, own)
    }

    /// The U-Net's weights, with the attention of `subject`.
    pub fn unet_with(&self, subject: Option<&SubjectEncoderFiles>) -> PartFiles {
        subject.map_or_else(|| PartFiles::clone(&self.unet), |subject| self.unet.with(&subject.attention))
    }

    fn open_folder(folder: &Path, configs: Option<&Path>) -> Result<Self> {
        check_pipeline(folder)?;
        let scheduler = match scheduler_in(configs) {
            Some(path) => SchedulerFile::open(&path)?,
            None => SchedulerFile::open(&folder.join("scheduler").join(SCHEDULER))?,
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
        let mut model = Self {
            unet: part_in(folder, Part::Unet, configs)?,
            vae: part_in(folder, Part::Vae, configs)?,
            text_encoder: part_in(folder, Part::TextEncoder, configs)?,
            controlnet: optional_part_in(folder, Part::ControlNet, configs)?,
            image_encoder: optional_part_in(folder, Part::ImageEncoder, configs)?,
            preprocessor: Preprocessor::in_folder(&folder.join("feature_extractor"))?.unwrap_or_default(),
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
        let unet = part_of(&file, Part::Unet, configs)?;
        let vae = part_of(&file, Part::Vae, configs)?;
        let text_encoder: NetworkFiles<TextConfig> = part_of(&file, Part::TextEncoder, configs)?;
        let has_controlnet = file.tensors().keys().any(|key| Part::ControlNet.owns(key));
        let second_generation = unet.is_second_generation() || text_encoder.is_second_generation();
        let scheduler = match scheduler_in(configs) {
            Some(path) => SchedulerFile::open(&path)?,
            None => SchedulerFile::of_single_file(&file, second_generation)?,
        };
        let tokenizer = tokenizer_folder(configs)
            .map_or(TokenizerFiles::Clip { pad_with_exclamation: second_generation }, TokenizerFiles::Folder);
        Ok(Self {
            unet,
            vae,
            text_encoder,
            controlnet: has_controlnet.then(|| part_of(&file, Part::ControlNet, configs)).transpose()?,
            image_encoder: None,
            preprocessor: Preprocessor::default(),
            subject_encoder: None,
            scheduler,
            tokenizer,
            unrecognised: unrecognised(&file),
        })
    }
}

const SCHEDULER: &str = "scheduler_config.json";

/// A network of a model folder; a `config.json` of `configs` stands in for its own.
fn part_in<C: NetworkConfig>(folder: &Path, part: Part, configs: Option<&Path>) -> Result<NetworkFiles<C>> {
    let folder = folder.join(part.folder());
    PartFiles::in_folder(&folder, part, replacement(configs, part)?)?.try_into()
}

/// As [`part_in`]; `None` where the model lacks it.
fn optional_part_in<C: NetworkConfig>(
    folder: &Path,
    part: Part,
    configs: Option<&Path>,
) -> Result<Option<NetworkFiles<C>>> {
    folder.join(part.folder()).is_dir().then(|| part_in(folder, part, configs)).transpose()
}

/// A network of a file that holds all; a `config.json` of `configs` stands in for the inferred one.
fn part_of<C: NetworkConfig>(
    file: &Arc<TensorFile>,
    part: Part,
    configs: Option<&Path>,
) -> Result<NetworkFiles<C>> {
    PartFiles::in_file(file, part, replacement(configs, part)?)?.try_into()
}

/// The `config.json` in `configs` that stands in for a network's own.
fn replacement(configs: Option<&Path>, part: Part) -> Result<Option<Value>> {
    let path = configs.map(|configs| configs.join(part.folder()).join("config.json"));
    path.filter(|path| path.exists()).map(|path| read_json(&path)).transpose()
}

/// The schedule in `configs` that stands in for the model's own.
fn scheduler_in(configs: Option<&Path>) -> Option<PathBuf> {
    configs.map(|configs| configs.join("scheduler").join(SCHEDULER)).filter(|path| path.exists())
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

fn unrecognised(file: &TensorFile) -> Vec<String> {
    let known = |key: &str| Part::ALL.into_iter().any(|part| part.owns(key)) || is_harmless(key);
    file.tensors().keys().filter(|key| !known(key)).cloned().collect()
}
