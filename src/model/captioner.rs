//! Captions: what a picture shows, in words, by BLIP (Li et al. 2022, arXiv 2201.12086). The network is candle-transformers'.

use std::path::Path;

use candle_core::{DType, Device, IndexOp, Module, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::blip::{BlipForConditionalGeneration, Config, VisionConfig};
use candle_transformers::models::blip_text;
use image::RgbImage;
use image::imageops::FilterType;
use serde::Deserialize;
use serde_json::Value;

use super::colours::ColourStatistics;
use super::config::{Activation, EncoderConfig, VisionTransformerConfig, parse};
use super::scaling::scaled;
use super::weights::{NetworkConfig, NetworkFiles, Part, Preprocessor, read_json};
use crate::error::{Error, Result};

/// Most tokens of a caption.
const MOST_TOKENS: usize = 50;

/// The captioner's `config.json`.
#[derive(Debug, Clone)]
pub struct CaptionerConfig {
    text: DecoderConfig,
    vision: VisionTransformerConfig,
}

/// What writes the caption.
#[derive(Debug, Clone, Deserialize)]
struct DecoderConfig {
    #[serde(flatten)]
    layers: EncoderConfig,
    vocab_size: usize,
    max_position_embeddings: usize,
    #[serde(default = "first_token")]
    bos_token_id: u32,
    #[serde(default = "last_token")]
    sep_token_id: u32,
}

fn first_token() -> u32 {
    30522
}
fn last_token() -> u32 {
    102
}

impl NetworkConfig for CaptionerConfig {
    fn parse(json: &Value, _: Part) -> Result<Self> {
        let section = |name: &str| json.get(name).unwrap_or(&Value::Null);
        let vision = VisionTransformerConfig::from_json(section("vision_config"))?;
        let text: DecoderConfig = parse("config.json of a captioner, text_config", section("text_config"))?;
        text.layers.check()?;
        for activation in [text.layers.hidden_act, vision.encoder.hidden_act] {
            if activation != Activation::Gelu {
                return Err(Error::setting("config.json, hidden_act", "gelu is known"));
            }
        }
        let (first, last, words) = (text.bos_token_id, text.sep_token_id, text.vocab_size);
        if first.max(last) as usize >= words {
            let problem = format!("{first} begins and {last} ends a caption, of {words} words");
            return Err(Error::setting("config.json, bos_token_id", problem));
        }
        Ok(Self { text, vision })
    }
}

impl CaptionerConfig {
    /// The same, as candle-transformers has it.
    fn network(&self) -> Config {
        let (text, vision) = (&self.text.layers, &self.vision.encoder);
        Config {
            text_config: blip_text::Config {
                vocab_size: self.text.vocab_size,
                hidden_size: text.hidden_size,
                encoder_hidden_size: vision.hidden_size,
                intermediate_size: text.intermediate_size,
                projection_dim: text.hidden_size,
                num_hidden_layers: text.num_hidden_layers,
                num_attention_heads: text.num_attention_heads,
                max_position_embeddings: self.text.max_position_embeddings,
                hidden_act: candle_nn::Activation::Gelu,
                layer_norm_eps: text.layer_norm_eps,
                is_decoder: true,
            },
            vision_config: VisionConfig {
                hidden_size: vision.hidden_size,
                intermediate_size: vision.intermediate_size,
                projection_dim: vision.hidden_size,
                num_hidden_layers: vision.num_hidden_layers,
                num_attention_heads: vision.num_attention_heads,
                image_size: self.vision.image_size,
                patch_size: self.vision.patch_size,
                hidden_act: candle_nn::Activation::Gelu,
                layer_norm_eps: vision.layer_norm_eps,
            },
            projection_dim: vision.hidden_size,
            image_text_hidden_size: text.hidden_size,
        }
    }
}

/// A loaded captioner, 32 bits.
#[derive(Debug)]
pub struct Captioner {
    network: BlipForConditionalGeneration,
    config: CaptionerConfig,
    colours: ColourStatistics,
    words: Vec<String>,
    device: Device,
}

impl Captioner {
    /// Loads a folder as transformers writes it: `config.json`, weights, and `vocab.txt` or `tokenizer.json`.
    ///
    /// # Errors
    /// Missing or malformed files, another network, fewer words than the network has.
    pub fn open(folder: &Path, device: &Device) -> Result<Self> {
        let files: NetworkFiles<CaptionerConfig> = NetworkFiles::open(folder, Part::Captioner)?;
        let colours = Preprocessor::in_folder(folder)?.unwrap_or_default().colours;
        let words = words(folder)?;
        let tied = files.shape(DECODER).is_none();
        let make = |vb: VarBuilder| {
            let vb = vb.rename_f(move |name| if tied { shared(name) } else { name }.to_owned());
            BlipForConditionalGeneration::new(&files.config.network(), vb)
        };
        let (network, _) = files.build(DType::F32, device, &[], make)?;
        Ok(Self { network, config: files.config.clone(), colours, words, device: device.clone() })
    }

    /// What the picture shows: the likeliest token each time, at most 50.
    ///
    /// # Errors
    /// A token that the vocabulary lacks; failures of the network.
    pub fn caption(&mut self, picture: &RgbImage) -> Result<String> {
        let side = self.config.vision.image_size as u32;
        let picture = scaled(picture, side, side, FilterType::CatmullRom);
        let seen = self.network.vision_model().forward(&self.colours.normalized(&picture, &self.device)?)?;
        self.network.reset_kv_cache();
        let DecoderConfig { bos_token_id, sep_token_id, max_position_embeddings, .. } = self.config.text;
        let (mut token, mut tokens) = (bos_token_id, Vec::new());
        for _ in 0..MOST_TOKENS.min(max_position_embeddings) {
            let input = Tensor::new(&[[token]], &self.device)?;
            let scores = self.network.text_decoder().forward(&input, &seen)?;
            token = scores.i((0, 0))?.argmax(0)?.to_scalar()?;
            if token == sep_token_id {
                break;
            }
            tokens.push(token);
        }
        let word = |token: u32| {
            self.words.get(token as usize).map(String::as_str).ok_or_else(|| {
                let problem = format!("token {token}; the vocabulary has {}", self.words.len());
                Error::setting("caption", problem)
            })
        };
        Ok(joined(tokens.into_iter().map(word).collect::<Result<Vec<_>>>()?))
    }
}

/// The scores' weights, which are the words' own where a file lacks them.
const DECODER: &str = "text_decoder.cls.predictions.decoder.weight";

/// Where a tensor stands that a file holds once for two uses.
fn shared(name: &str) -> &str {
    match name {
        DECODER => "text_decoder.bert.embeddings.word_embeddings.weight",
        "text_decoder.cls.predictions.decoder.bias" => "text_decoder.cls.predictions.bias",
        other => other,
    }
}

/// The vocabulary in the order of its numbers.
fn words(folder: &Path) -> Result<Vec<String>> {
    let list = folder.join("vocab.txt");
    if list.is_file() {
        let text = crate::files::read_text(&list, MOST_BYTES)?;
        return Ok(text.lines().map(str::to_owned).collect());
    }
    let path = folder.join("tokenizer.json");
    let json = read_json(&path)?;
    let vocabulary = json.get("model").and_then(|model| model.get("vocab")?.as_object());
    let vocabulary = vocabulary.ok_or_else(|| Error::weights(&path, "has no vocabulary: model.vocab"))?;
    let added = json.get("added_tokens").and_then(Value::as_array).into_iter().flatten();
    let added = added.filter_map(|token| Some((token.get("content")?.as_str()?, token.get("id")?)));
    let mut words = Vec::new();
    for (word, id) in vocabulary.iter().map(|(word, id)| (word.as_str(), id)).chain(added) {
        let id = id.as_u64().filter(|id| *id < MOST_WORDS).ok_or_else(|| {
            Error::weights(&path, format!("{word:?} has the number {id}; 0 to {MOST_WORDS} are allowed"))
        })?;
        words.resize(words.len().max(id as usize + 1), String::new());
        words[id as usize] = word.to_owned();
    }
    Ok(words)
}

const MOST_BYTES: u64 = 16 << 20;
const MOST_WORDS: u64 = 1 << 20;

/// Tokens as a sentence. Those that begin with `##` go on with the word before them; those in brackets are signs, not words.
fn joined(tokens: Vec<&str>) -> String {
    let mut sentence = String::new();
    for token in tokens.into_iter().filter(|token| !(token.starts_with('[') && token.ends_with(']'))) {
        match token.strip_prefix("##") {
            _ if sentence.is_empty() => sentence.push_str(token),
            Some(rest) => sentence.push_str(rest),
            None => sentence.extend([" ", token]),
        }
    }
    sentence
}
