//! All the networks of one Stable Diffusion model on one device, and the way from text and pictures to tensors.

use candle_core::{DType, Device, Tensor};
use image::RgbImage;

use super::config::{TextConfig, TinyVaeConfig, UNetConfig, VaeConfig};
use super::controlnet::ControlNet;
use super::subject_encoder::SubjectReader;
use super::text::TextEncoder;
use super::tiny_vae::TinyVae;
use super::tokenizer::Tokenizer;
use super::unet::UNet;
use super::vae::Vae;
use super::weights::{LoadReport, Lora, ModelFiles, PartFiles, TextualInversion, TokenizerFiles};
use crate::error::{Error, Result};
use crate::frame::{image_to_tensor, tensor_to_image};
use crate::mask::Mask;
use crate::memory;
use dreamtuner_kernels::in_pool;

/// What is chosen once, when a model is loaded.
#[derive(Debug)]
pub struct LoadOptions {
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's and ControlNets' weights and, but on the CPU, activations: there weights of 16 bits take half the
    /// memory, and everything is computed in 32. The VAE and the text encoder, where rounding shows and little time is
    /// spent, stay in 32 bits.
    pub dtype: DType,
    /// LoRAs to merge, each with its weight.
    pub loras: Vec<(Lora, f64)>,
    /// Words to add to the vocabulary.
    pub textual_inversions: Vec<TextualInversion>,
}

/// A loaded model.
#[derive(Debug)]
pub struct StableDiffusion {
    /// The denoising network.
    pub unet: UNet,
    /// The autoencoder.
    pub vae: Vae,
    /// What decodes in the autoencoder's place.
    tiny_vae: Option<TinyVae>,
    /// The text encoder, until it is dropped.
    text_encoder: Option<TextEncoder>,
    /// The subject encoder, where there is one, until it is dropped.
    subject_reader: Option<SubjectReader>,
    /// Whether the U-Net has subject-encoder-attention.
    knows_subjects: bool,
    /// The tokenizer, with the words of textual inversions.
    pub tokenizer: Tokenizer,
    /// `scheduler_config.json`.
    pub scheduler: serde_json::Value,
    /// Channels of the latent.
    pub latent_channels: usize,
    /// Side in pixels of the pictures that the U-Net was trained on; 512 where the files do not say.
    pub native_side: usize,
    /// Frame sizes in multiples of this many pixels are halved evenly at every resolution of the U-Net.
    pub size_step: usize,
    /// Where the networks run.
    pub device: Device,
    /// Type of the U-Net's activations.
    pub dtype: DType,
    weight_dtype: DType,
    unet_config: UNetConfig,
}

impl StableDiffusion {
    /// Loads every network of `files`. `on_report` is handed what each one lacked or left unused.
    ///
    /// # Errors
    /// Missing or mis-shaped tensors, values that are not finite, LoRA keys that match nothing, embeddings of another
    /// width.
    pub fn load(
        files: &ModelFiles,
        options: &LoadOptions,
        mut on_report: impl FnMut(&PartFiles, &LoadReport),
    ) -> Result<Self> {
        let device = &options.device;
        let loras: Vec<(&Lora, f64)> = options.loras.iter().map(|(lora, weight)| (lora, *weight)).collect();

        let unet_config = UNetConfig::of_unet(&files.unet.config).map_err(in_file(&files.unet))?;
        let (unet, report) =
            files
                .unet_with(files.subject_encoder.as_ref())
                .build(options.dtype, device, &loras, |vb| UNet::new(&unet_config, vb))?;
        on_report(&files.unet, &report);
        let mut subject_reader = None;
        if let Some(subject) = &files.subject_encoder {
            let (reader, report) = SubjectReader::load(subject, device)?;
            on_report(&subject.encoder, &report);
            subject_reader = Some(reader);
        }

        let vae_config = VaeConfig::from_json(&files.vae.config).map_err(in_file(&files.vae))?;
        let (vae, report) = files.vae.build(DType::F32, device, &[], |vb| Vae::new(&vae_config, vb))?;
        on_report(&files.vae, &report);

        let text_config =
            TextConfig::from_json(&files.text_encoder.config).map_err(in_file(&files.text_encoder))?;
        let mut tokenizer = open_tokenizer(&files.tokenizer)?;
        check_tokenizer(&tokenizer, &text_config, &options.textual_inversions)
            .map_err(in_file(&files.text_encoder))?;
        let concepts = add_concepts(&mut tokenizer, &options.textual_inversions, &text_config)?;
        let (text_encoder, report) = files
            .text_encoder
            .build(DType::F32, device, &loras, |vb| TextEncoder::new(&text_config, concepts.as_ref(), vb))?;
        on_report(&files.text_encoder, &report);
        check_fit(files, &unet_config, &vae_config, &text_config)?;

        Ok(Self {
            unet,
            native_side: unet_config.native_side(&vae_config),
            size_step: unet_config.size_step(&vae_config),
            latent_channels: vae_config.latent_channels,
            vae,
            tiny_vae: None,
            text_encoder: Some(text_encoder),
            knows_subjects: subject_reader.is_some(),
            subject_reader,
            tokenizer,
            scheduler: files.scheduler.clone(),
            device: device.clone(),
            dtype: match options.dtype {
                DType::F16 | DType::BF16 if device.is_cpu() => DType::F32,
                dtype => dtype,
            },
            weight_dtype: options.dtype,
            unet_config,
        })
    }

    /// Loads a ControlNet that belongs to this model.
    ///
    /// # Errors
    /// Those of [`Self::load`], and [`Error::Weights`] for a ControlNet made for another kind of model.
    pub fn load_controlnet(&self, files: &PartFiles) -> Result<(ControlNet, LoadReport)> {
        let config = UNetConfig::from_json(&files.config).map_err(in_file(files))?;
        self.check_controlnet(&config).map_err(|problem| Error::weights(files.path(), problem))?;
        files.build(self.weight_dtype, &self.device, &[], |vb| ControlNet::new(&config, vb))
    }

    /// Lets a tiny decoder decode in the autoencoder's place.
    ///
    /// # Errors
    /// Those of [`Self::load`], and [`Error::Weights`] for one made for other latents.
    pub fn use_tiny_vae(&mut self, files: &PartFiles) -> Result<LoadReport> {
        let config = TinyVaeConfig::from_json(&files.config).map_err(in_file(files))?;
        let (tiny, report) = files.build(DType::F32, &self.device, &[], |vb| TinyVae::new(&config, vb))?;
        for (what, found, own) in [
            ("latents of channels", tiny.latent_channels(), self.latent_channels),
            ("pictures enlarged by", tiny.factor(), self.vae.factor()),
        ] {
            if found != own {
                return Err(Error::weights(files.path(), format!("{what}: {found}, the model's are {own}")));
            }
        }
        self.tiny_vae = Some(tiny);
        Ok(report)
    }

    fn check_controlnet(&self, config: &UNetConfig) -> std::result::Result<(), String> {
        let (own, widths) = (&self.unet_config.block_out_channels, &config.block_out_channels);
        if own != widths {
            return Err(format!("has {widths:?} channels at its resolutions, the U-Net {own:?}"));
        }
        let context = |config: &UNetConfig| config.context_width(0).map_err(|error| error.to_string());
        let (own, width) = (context(&self.unet_config)?, context(config)?);
        if own != width {
            return Err(format!("reads a context of width {width}, the U-Net {own}"));
        }
        let halvings = config.conditioning_embedding_out_channels.len().saturating_sub(1) as u32;
        let (own, factor) = (self.vae.factor(), 2usize.saturating_pow(halvings));
        if own != factor {
            return Err(format!("scales control images down by {factor}, the VAE pictures by {own}"));
        }
        Ok(())
    }

    /// The context of a prompt, `(1, tokens, context width)`, in the U-Net's type.
    ///
    /// # Errors
    /// A prompt that is too long or weighted out of range; a `clip_skip` past the number of layers; a text encoder that was
    /// dropped.
    pub fn encode_prompt(&self, prompt: &str, clip_skip: usize) -> Result<Tensor> {
        let text_encoder = self.text_encoder.as_ref();
        let text_encoder = text_encoder
            .ok_or_else(|| Error::setting("prompt", "cannot be encoded: the text encoder is gone"))?;
        let layers = text_encoder.layers();
        if clip_skip == 0 || clip_skip > layers {
            return Err(Error::setting("clip-skip", format!("{clip_skip}; this model allows 1 to {layers}")));
        }
        let chunks = self.tokenizer.chunks(prompt)?;
        Ok(text_encoder.encode(&chunks, clip_skip)?.to_dtype(self.dtype)?)
    }

    /// Whether the model has a subject encoder.
    pub fn knows_subjects(&self) -> bool {
        self.knows_subjects
    }

    /// The subject of a picture as tokens `(1, tokens, context width)` in the U-Net's type; `None` without a subject encoder.
    ///
    /// # Errors
    /// A mask without a subject; a subject encoder that was dropped.
    pub fn encode_subject(&self, image: &RgbImage, mask: Option<&Mask>) -> Result<Option<Tensor>> {
        if !self.knows_subjects {
            return Ok(None);
        }
        let reader = self.subject_reader.as_ref();
        let reader = reader.ok_or_else(|| Error::setting("reference", "the subject encoder is gone"))?;
        Ok(Some(in_pool(|| reader.read(image, mask))?.to_dtype(self.dtype)?))
    }

    /// Gives back the memory of what encodes texts and pictures, once all of them are encoded.
    pub fn drop_encoders(&mut self) {
        self.text_encoder = None;
        self.subject_reader = None;
        self.vae.drop_encoder();
        memory::give_back();
    }

    /// The latent of a picture, `(1, channels, height / factor, width / factor)`, 32 bits. `tile` is the side of the
    /// VAE's tiles in pixels.
    ///
    /// # Errors
    /// An encoder that was dropped.
    pub fn encode_image(&self, image: &RgbImage, tile: Option<usize>) -> Result<Tensor> {
        let pixels = ((image_to_tensor(image, &self.device)? * 2.0)? - 1.0)?;
        let latent = in_pool(|| match tile {
            Some(tile) => self.vae.encode_tiled(&pixels, tile),
            None => self.vae.encode(&pixels),
        });
        Ok(latent?)
    }

    /// The picture of a latent `(1, channels, height, width)`. `tile` is the side of the VAE's tiles in pixels; a tiny decoder
    /// needs none.
    pub fn decode(&self, latent: &Tensor, tile: Option<usize>) -> Result<RgbImage> {
        let pixels = in_pool(|| match (&self.tiny_vae, tile) {
            (Some(tiny), _) => tiny.decode(latent),
            (None, Some(tile)) => self.vae.decode_tiled(latent, tile),
            (None, None) => self.vae.decode(latent),
        })?;
        tensor_to_image(&((pixels + 1.0)? / 2.0)?)
    }
}

/// What is wrong with a configuration, said of the file that it belongs to.
pub(super) fn in_file(part: &PartFiles) -> impl Fn(Error) -> Error {
    let path = part.path().to_path_buf();
    move |error| match error {
        Error::Setting { name, problem } => Error::weights(&path, format!("{name}: {problem}")),
        other => other,
    }
}

pub(crate) fn open_tokenizer(files: &TokenizerFiles) -> Result<Tokenizer> {
    match files {
        TokenizerFiles::Folder(folder) => Tokenizer::from_folder(folder),
        TokenizerFiles::Contents { vocab, merges, config } => Tokenizer::from_parts(vocab, merges, config),
        TokenizerFiles::Clip { pad_with_exclamation: true } => Tokenizer::clip_padded_with("!"),
        TokenizerFiles::Clip { pad_with_exclamation: false } => Tokenizer::clip(),
    }
}

/// Refuses a tokenizer whose ids or chunks the text encoder has no embeddings for.
fn check_tokenizer(
    tokenizer: &Tokenizer,
    config: &TextConfig,
    inversions: &[TextualInversion],
) -> Result<()> {
    let (words, known) = (tokenizer.vocabulary_size(), config.vocab_size);
    // New words are numbered after the tokenizer's, and their embeddings follow the text encoder's.
    if words > known || (words < known && !inversions.is_empty()) {
        return Err(Error::setting("vocab_size", format!("{known}, the tokenizer has {words} words")));
    }
    let (tokens, positions) = (tokenizer.max_length(), config.max_position_embeddings);
    if tokens > positions {
        let problem = format!("{positions}, the tokenizer makes chunks of {tokens}");
        return Err(Error::setting("max_position_embeddings", problem));
    }
    Ok(())
}

/// Puts the words of textual inversions into the vocabulary; their vectors `(vectors, hidden size)`.
fn add_concepts(
    tokenizer: &mut Tokenizer,
    inversions: &[TextualInversion],
    config: &TextConfig,
) -> Result<Option<Tensor>> {
    let mut vectors = Vec::new();
    for inversion in inversions {
        let (count, width) = inversion.vectors.dims2()?;
        if width != config.encoder.hidden_size {
            let problem = format!(
                "{} has vectors of width {width}, the text encoder {}",
                inversion.word, config.encoder.hidden_size
            );
            return Err(Error::setting("embedding", problem));
        }
        tokenizer.add_concept(&inversion.word, count)?;
        vectors.push(&inversion.vectors);
    }
    if vectors.is_empty() { Ok(None) } else { Ok(Some(Tensor::cat(&vectors, 0)?)) }
}

/// Refuses parts that do not belong together.
fn check_fit(files: &ModelFiles, unet: &UNetConfig, vae: &VaeConfig, text: &TextConfig) -> Result<()> {
    let context = unet.context_width(0)?;
    if context != text.encoder.hidden_size {
        let problem = format!(
            "reads a context of width {context}, the text encoder gives {}",
            text.encoder.hidden_size
        );
        return Err(Error::weights(files.unet.path(), problem));
    }
    if unet.in_channels != vae.latent_channels {
        let problem = format!("reads {} channels, the VAE gives {}", unet.in_channels, vae.latent_channels);
        return Err(Error::weights(files.unet.path(), problem));
    }
    Ok(())
}
