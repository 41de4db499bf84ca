//! The weights of renders: model, ControlNets, LoRAs, textual inversions, from files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::diffusion::Schedule;
use crate::error::{Error, Result};
use crate::model::clip::ClipFiles;
use crate::model::config::{TinyVaeConfig, UNetConfig};
use crate::model::weights::{
    Lora, ModelFiles, NetworkFiles, Part, SubjectEncoderFiles, SubjectFile, SubjectPhrase, TextualInversion,
    TokenizerFiles,
};
use crate::render::networks::ControlSource;
use crate::render::settings::RenderSettings;

/// Which weights a render uses.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct WeightFiles {
    /// A diffusers folder or single file; the embedded model where absent.
    pub model: Option<PathBuf>,
    /// A folder in the diffusers layout whose configurations and tokenizer replace the model's own.
    pub model_config: Option<PathBuf>,
    /// A VAE in place of the model's own.
    pub vae: Option<PathBuf>,
    /// A tiny decoder that decodes in its place.
    pub tiny_vae: Option<PathBuf>,
    /// LoRA files, each with its weight.
    pub loras: Vec<(PathBuf, f64)>,
    /// Textual-inversion files.
    pub textual_inversions: Vec<PathBuf>,
    /// The ControlNets.
    pub controlnets: Vec<ControlNetFile>,
    /// A subject encoder in place of the model's own.
    pub subject_encoder: Option<PathBuf>,
    /// A tuned subject.
    pub subject: Option<PathBuf>,
    /// Whether there has to be a subject encoder.
    pub subject_use: SubjectUse,
}

/// Whether a render looks at a subject encoder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SubjectUse {
    /// Where there is one.
    #[default]
    IfThere,
    /// A model without one is refused.
    Needed,
    /// It is not even loaded.
    Never,
}

/// One ControlNet with its share in the render.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlNetFile {
    /// A diffusers folder or single file; the model's own where absent.
    pub path: Option<PathBuf>,
    /// Its residuals are multiplied by this, 0 to 10.
    pub strength: f64,
    /// It acts from this fraction of the steps on, 0 to 1.
    pub start: f64,
    /// It acts up to this fraction of the steps, 0 to 1.
    pub end: f64,
    /// What it is shown.
    pub source: ControlSource,
}

/// Weights that have been opened: what they are is known, their tensors are not read yet.
#[derive(Debug)]
pub struct OpenWeights {
    pub(super) model: ModelFiles,
    pub(super) tiny_vae: Option<NetworkFiles<TinyVaeConfig>>,
    pub(super) loras: Vec<(Lora, f64)>,
    lora_hashes: Vec<Value>,
    pub(super) textual_inversions: Vec<TextualInversion>,
    pub(super) controlnets: Vec<(NetworkFiles<UNetConfig>, ControlNetFile)>,
    subject_phrase: Option<SubjectPhrase>,
    files: Vec<PathBuf>,
}

impl ControlNetFile {
    /// The model's own, at strength 1 in every step.
    pub fn own() -> Self {
        Self { path: None, strength: 1.0, start: 0.0, end: 1.0, source: ControlSource::Dance }
    }

    /// One in a diffusers folder or single file, at strength 1 in every step.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        Self { path: Some(path.into()), ..Self::own() }
    }
}

impl WeightFiles {
    /// The embedded model with its ControlNet.
    pub fn builtin() -> Self {
        Self { controlnets: vec![ControlNetFile::own()], ..Self::default() }
    }

    /// The files and folders that are read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let single = [
            &self.model,
            &self.model_config,
            &self.vae,
            &self.tiny_vae,
            &self.subject_encoder,
            &self.subject,
        ];
        let single = single.into_iter().flatten();
        let controlnets = self.controlnets.iter().filter_map(|file| file.path.as_ref());
        let loras = self.loras.iter().map(|(path, _)| path);
        single.chain(controlnets).chain(loras).chain(&self.textual_inversions).map(PathBuf::as_path)
    }

    /// Opens every file.
    ///
    /// # Errors
    /// Files that cannot be read or used; a model without a ControlNet where its own is asked for; settings out of range.
    pub fn open(&self) -> Result<OpenWeights> {
        self.check()?;
        let mut model = match &self.model {
            Some(path) => ModelFiles::open_with_configs(path, self.model_config.as_deref())?,
            None => ModelFiles::builtin()?,
        };
        if let Some(path) = &self.vae {
            model.vae = NetworkFiles::open(path, Part::Vae)?;
        }
        model.subject_encoder = self.subject_encoder(&model)?;
        let tiny_vae =
            self.tiny_vae.as_ref().map(|path| NetworkFiles::open(path, Part::TinyVae)).transpose()?;
        let mut controlnets = Vec::new();
        for file in &self.controlnets {
            let part = match &file.path {
                Some(path) => NetworkFiles::open(path, Part::ControlNet)?,
                None => model.controlnet.clone().ok_or_else(|| {
                    Error::setting("controlnet", "the model has none of its own; name one: --controlnet PATH")
                })?,
            };
            controlnets.push((part, file.clone()));
        }
        let loras = self
            .loras
            .iter()
            .map(|(path, weight)| Ok((Lora::open(path)?, *weight)))
            .collect::<Result<Vec<_>>>()?;
        let lora_hashes = loras
            .iter()
            .map(|(lora, weight)| json!({"file": lora.fingerprint(), "weight": weight}))
            .collect();
        let textual_inversions =
            self.textual_inversions.iter().map(|path| TextualInversion::open(path)).collect::<Result<_>>()?;
        let open = OpenWeights {
            model,
            tiny_vae,
            loras,
            lora_hashes,
            textual_inversions,
            controlnets,
            subject_phrase: None,
            files: self.files().map(Path::to_path_buf).collect(),
        };
        match &self.subject {
            Some(path) => open.with_subject(SubjectFile::open(path)?),
            None => Ok(open),
        }
    }

    fn subject_encoder(&self, model: &ModelFiles) -> Result<Option<SubjectEncoderFiles>> {
        let found = match (self.subject_use, &self.subject_encoder) {
            (SubjectUse::Never, _) => return Ok(None),
            (_, Some(path)) => Some(model.open_subject_encoder(path)?),
            (_, None) => model.subject_encoder.clone(),
        };
        if found.is_none() && self.subject_use == SubjectUse::Needed {
            let problem = "the model has no subject encoder; name one: --subject-encoder PATH";
            return Err(Error::setting("beta", problem));
        }
        Ok(found)
    }

    /// Refuses weights and strengths outside their ranges.
    ///
    /// # Errors
    /// [`Error::Setting`] with the value and the allowed range.
    pub fn check(&self) -> Result<()> {
        for (path, weight) in &self.loras {
            if !(-10.0..=10.0).contains(weight) {
                let problem = format!("weight {weight} of {}; -10 to 10 is allowed", path.display());
                return Err(Error::setting("lora", problem));
            }
        }
        for ControlNetFile { strength, start, end, .. } in &self.controlnets {
            if !(0.0..=10.0).contains(strength) {
                return Err(Error::setting("controlnet", format!("strength {strength}; 0 to 10 is allowed")));
            }
            if !(0.0..=1.0).contains(start) || !(0.0..=1.0).contains(end) || start > end {
                let problem = format!("start {start}, end {end}; 0 ≤ start ≤ end ≤ 1 is allowed");
                return Err(Error::setting("controlnet", problem));
            }
        }
        Ok(())
    }
}

impl OpenWeights {
    /// A model with its own ControlNet.
    pub fn of_model(model: ModelFiles) -> Self {
        let own = model.controlnet.clone().map(|part| (part, ControlNetFile::own()));
        Self {
            controlnets: own.into_iter().collect(),
            model,
            tiny_vae: None,
            loras: Vec::new(),
            lora_hashes: Vec::new(),
            textual_inversions: Vec::new(),
            subject_phrase: None,
            files: Vec::new(),
        }
    }

    /// These weights with a tuned subject.
    ///
    /// # Errors
    /// A subject of another model.
    pub fn with_subject(mut self, subject: SubjectFile) -> Result<Self> {
        subject.apply(&mut self.model)?;
        self.loras.extend(subject.lora.map(|lora| (lora, 1.0)));
        self.textual_inversions.push(subject.word);
        self.subject_phrase = Some(subject.phrase);
        Ok(self)
    }

    /// The noise schedule of renders with `settings`.
    ///
    /// # Errors
    /// A configuration that cannot be used.
    pub fn schedule(&self, settings: &RenderSettings) -> Result<Schedule> {
        settings.schedule(&self.model.scheduler.config)
    }

    /// Side in pixels of the pictures that the model was trained on, and what sides are multiples of.
    pub fn sizes(&self) -> (u32, u32) {
        let (unet, vae) = (&self.model.unet.config, &self.model.vae.config);
        (unet.native_side(vae) as u32, unet.size_step(vae) as u32)
    }

    /// The files and folders that were read.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        self.files.iter().map(PathBuf::as_path)
    }

    /// How prompts speak of the tuned subject, if there is one.
    pub fn subject_phrase(&self) -> Option<&SubjectPhrase> {
        self.subject_phrase.as_ref()
    }

    /// The CLIP that the model brings; `None` where it lacks a part of one.
    pub fn clip(&self) -> Option<ClipFiles> {
        ClipFiles::of_model(&self.model)
    }

    /// A short hash of every file, for the plan of a render.
    ///
    /// # Errors
    /// A tokenizer that cannot be read.
    pub fn fingerprints(&self) -> Result<Value> {
        let controlnet = |(part, file): &(NetworkFiles<UNetConfig>, ControlNetFile)| {
            let ControlNetFile { strength, start, end, source, .. } = file;
            let mut unit =
                json!({"file": part.fingerprint(), "strength": strength, "start": start, "end": end});
            if source.is_draft() {
                unit["source"] = json!(source);
            }
            unit
        };
        Ok(json!({
            "unet": self.model.unet.fingerprint(),
            "vae": self.model.vae.fingerprint(),
            "tiny_vae": self.tiny_vae.as_ref().map(|part| part.fingerprint()),
            "text_encoder": self.model.text_encoder.fingerprint(),
            "subject_encoder": self.model.subject_encoder.as_ref().map(SubjectEncoderFiles::fingerprint),
            "tokenizer": tokenizer_hash(&self.model.tokenizer)?,
            "scheduler": self.model.scheduler.json(),
            "loras": self.lora_hashes,
            "textual_inversions": self.textual_inversions.iter().map(|word| &word.fingerprint).collect::<Vec<_>>(),
            "controlnets": self.controlnets.iter().map(controlnet).collect::<Vec<_>>(),
        }))
    }
}

const TOKENIZER_FILES: [&str; 6] = [
    "vocab.json",
    "merges.txt",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
];

/// A hash of all that a tokenizer is read from.
fn tokenizer_hash(files: &TokenizerFiles) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    match files {
        TokenizerFiles::Folder(folder) => {
            for name in TOKENIZER_FILES {
                let path = folder.join(name);
                if path.is_file() {
                    hasher.update(name.as_bytes());
                    hasher.update_mmap_rayon(&path).map_err(|error| Error::io(&path, error))?;
                }
            }
        }
        TokenizerFiles::Contents { vocab, merges, config } => {
            for text in [vocab, merges, config] {
                hasher.update(text.as_bytes());
            }
        }
        TokenizerFiles::Clip { pad_with_exclamation } => {
            hasher.update(&[u8::from(*pad_with_exclamation)]);
        }
    }
    Ok(hasher.finalize().to_hex()[..16].to_string())
}
