//! What a weights file or folder is, for people and programs that ask.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::folder::{read_json, weight_files};
use super::keys::{Keys, foreign_family};
use super::lora::Lora;
use super::lora_keys::{parse_key, unsupported_kind};
use super::model::ModelFiles;
use super::networks::Part;
use super::part::PartFiles;
use super::scheduler::stated_prediction;
use super::tensor_file::{TensorFile, is_pickle_file};
use super::textual_inversion::TextualInversion;
use crate::error::{Error, Result};

/// Longest note of a header that is printed; programs get all of it.
const SHOWN_NOTE: usize = 100;

/// Kinds of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A model folder in the layout of diffusers.
    ModelFolder,
    /// A whole model in a single file.
    Checkpoint,
    /// A LoRA.
    Lora,
    /// A textual inversion.
    TextualInversion,
    /// An IP-Adapter.
    IpAdapter,
    /// A Python pickle.
    Pickle,
    /// Tensors of no known kind.
    Unknown,
    /// A single network.
    #[serde(untagged)]
    Network(Part),
}

/// What a weights file or folder is.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Description {
    /// The file or folder.
    pub path: PathBuf,
    /// Its kind.
    pub kind: Kind,
    /// The family of models that it belongs to, where that can be told.
    pub family: Option<String>,
    /// Whether this program can use it.
    pub supported: bool,
    /// Why not, or what to do.
    pub note: Option<String>,
    /// Bytes of the weights files.
    pub size: u64,
    /// Number of tensors.
    pub tensors: usize,
    /// Number of values.
    pub parameters: u64,
    /// Number of values in each stored type.
    pub dtypes: BTreeMap<String, u64>,
    /// `epsilon`, `v_prediction` or `sample`, where it is known.
    pub prediction_type: Option<String>,
    /// The networks, with the numbers of their architecture.
    pub parts: Vec<PartDescription>,
    /// Facts of this kind only: a LoRA's naming, ranks, alphas and targets; a textual inversion's word and size.
    pub facts: Map<String, Value>,
    /// The notes in the file's header.
    pub metadata: BTreeMap<String, String>,
}

/// One network within weights.
#[derive(Debug, Clone, serde::Serialize)]
pub struct PartDescription {
    /// Which network.
    pub part: Part,
    /// Number of values.
    pub parameters: u64,
    /// The numbers of its architecture, as `config.json` names them.
    pub architecture: Map<String, Value>,
}

/// Says what a weights file or folder is. Only headers and configurations are read.
///
/// # Errors
/// Missing, empty, truncated or malformed files; folders without weights. Weights that this program cannot use are
/// described, not refused.
pub fn inspect(path: &Path) -> Result<Description> {
    if path.is_dir() {
        return folder(path);
    }
    if is_pickle_file(path)? {
        let size = std::fs::metadata(path).map_err(|error| Error::io(path, error))?.len();
        let mut description = Description::new(path, Kind::Pickle, &[]);
        description.size = size;
        description.refuse(super::tensor_file::pickle_problem(path));
        return Ok(description);
    }
    file(&Arc::new(TensorFile::open(path)?))
}

fn folder(path: &Path) -> Result<Description> {
    let config = path.join("config.json");
    if !path.join("unet").is_dir() && config.is_file() {
        let config = read_json(&config)?;
        let files = weight_files(path)?.into_iter().map(|path| Ok(Arc::new(TensorFile::open(&path)?)));
        let files = files.collect::<Result<Vec<_>>>()?;
        for part in Part::ALL {
            match PartFiles::in_folder(path, part, None) {
                Ok(part) => {
                    let mut description = Description::new(path, Kind::Network(part.part()), &files);
                    description.add(&part);
                    return Ok(description);
                }
                Err(error) if part.is_described_by(&config) => {
                    let mut description = Description::new(path, Kind::Network(part), &files);
                    description.refuse(problem(error));
                    return Ok(description);
                }
                Err(_) => {}
            }
        }
        let mut description = Description::new(path, Kind::Unknown, &files);
        description.refuse("config.json describes no network of Stable Diffusion 1.x or 2.x".into());
        return Ok(description);
    }
    let model = match ModelFiles::open(path) {
        Ok(model) => model,
        Err(error) if path.join("model_index.json").is_file() => {
            let mut description = Description::new(path, Kind::ModelFolder, &[]);
            description.refuse(problem(error));
            return Ok(description);
        }
        Err(error) => return Err(error),
    };
    let mut parts: Vec<&PartFiles> = vec![&model.unet, &model.vae, &model.text_encoder];
    parts.extend(model.controlnet.as_deref());
    parts.extend(model.image_encoder.as_deref());
    parts.extend(model.subject_encoder.as_ref().map(|subject| &*subject.encoder));
    let files: Vec<_> = parts.iter().flat_map(|part| part.files.iter().cloned()).collect();
    let mut description = Description::new(path, Kind::ModelFolder, &files);
    parts.into_iter().for_each(|part| description.add(part));
    description.prediction_type =
        model.scheduler.json().get("prediction_type").and_then(Value::as_str).map(str::to_owned);
    Ok(description)
}

fn file(file: &Arc<TensorFile>) -> Result<Description> {
    let keys = || file.tensors().keys().map(String::as_str);
    let all = Keys::new(keys());
    let describe = |kind| Description::new(file.path(), kind, std::slice::from_ref(file));
    let is_lora =
        keys().any(|key| parse_key(key).is_some()) || unsupported_kind(file.tensors().keys()).is_some();
    if is_lora {
        return Ok(lora(describe(Kind::Lora)));
    }
    if let Some(family) = foreign_family(&all) {
        let mut description = describe(Kind::Unknown);
        description.family = Some(family.to_owned());
        description.refuse(format!("{family} is not supported; Stable Diffusion 1.x and 2.x are"));
        return Ok(description);
    }
    let found: Vec<_> =
        Part::ALL.into_iter().filter(|part| (part.network().naming)(&all, None).is_some()).collect();
    if found.is_empty() {
        return Ok(textual_inversion(describe, file.tensors().len()));
    }
    let whole = [Part::Unet, Part::Vae, Part::TextEncoder].iter().all(|part| found.contains(part));
    let first = found.first().copied().unwrap_or(Part::Unet);
    let is_adapter = first == Part::SubjectEncoder && keys().any(|key| key.starts_with("ip_adapter."));
    let mut description = describe(match first {
        _ if whole => Kind::Checkpoint,
        _ if is_adapter => Kind::IpAdapter,
        first => Kind::Network(first),
    });
    for part in found {
        match PartFiles::open(file.path(), part) {
            Ok(part) => description.add(&part),
            Err(error) => description.refuse(problem(error)),
        }
    }
    if whole {
        let usual = if description.family.as_deref() == Some(SECOND) { "v_prediction" } else { "epsilon" };
        description.prediction_type = Some(stated_prediction(file).unwrap_or(usual).to_owned());
    }
    Ok(description)
}

const FIRST: &str = "Stable Diffusion 1.x";
const SECOND: &str = "Stable Diffusion 2.x";

fn lora(mut description: Description) -> Description {
    match Lora::open(&description.path) {
        Ok(lora) => {
            let width = lora.context_width();
            description.family = match width {
                Some(768) => Some(FIRST.to_owned()),
                Some(1024) => Some(SECOND.to_owned()),
                Some(2048) => Some("SDXL".to_owned()),
                _ => None,
            };
            if width == Some(2048) {
                description.refuse("SDXL is not supported; Stable Diffusion 1.x and 2.x are".into());
            }
            for (name, fact) in [
                ("naming", json!(lora.naming())),
                ("unet_layers", json!(lora.targets(Part::Unet))),
                ("text_encoder_layers", json!(lora.targets(Part::TextEncoder))),
                ("ranks", json!(lora.ranks())),
                ("alphas", json!(lora.alphas())),
                ("context_width", json!(width)),
            ] {
                description.facts.insert(name.to_owned(), fact);
            }
        }
        Err(error) => description.refuse(problem(error)),
    }
    description
}

fn textual_inversion(describe: impl Fn(Kind) -> Description, tensors: usize) -> Description {
    // One small tensor, or a pair under the names that SDXL's have.
    if tensors > 2 {
        let mut description = describe(Kind::Unknown);
        description.refuse("holds no weights of a known kind".into());
        return description;
    }
    let mut description = describe(Kind::TextualInversion);
    match TextualInversion::open(&description.path) {
        Ok(inversion) => {
            let (vectors, width) = inversion.vectors.dims2().unwrap_or_default();
            description.facts.insert("word".to_owned(), json!(inversion.word));
            description.facts.insert("vectors".to_owned(), json!(vectors));
            description.facts.insert("width".to_owned(), json!(width));
        }
        Err(error) => {
            description.kind = Kind::Unknown;
            description.refuse(problem(error));
        }
    }
    description
}

/// An error's words without the path, which stands elsewhere in the description.
fn problem(error: Error) -> String {
    match error {
        Error::Weights { problem, .. } => problem,
        other => other.to_string(),
    }
}

impl Description {
    fn new(path: &Path, kind: Kind, files: &[Arc<TensorFile>]) -> Self {
        let mut dtypes: BTreeMap<String, u64> = BTreeMap::new();
        for info in files.iter().flat_map(|file| file.tensors().values()) {
            *dtypes.entry(info.dtype.to_string()).or_default() += info.shape.iter().product::<usize>() as u64;
        }
        Self {
            path: path.to_path_buf(),
            kind,
            family: None,
            supported: true,
            note: None,
            size: files.iter().map(|file| file.size()).sum(),
            tensors: files.iter().map(|file| file.tensors().len()).sum(),
            parameters: dtypes.values().sum(),
            dtypes,
            prediction_type: None,
            parts: Vec::new(),
            facts: Map::new(),
            metadata: files.first().map(|file| file.metadata().clone()).unwrap_or_default(),
        }
    }

    fn refuse(&mut self, note: String) {
        self.supported = false;
        self.note.get_or_insert(note);
    }

    fn add(&mut self, part: &PartFiles) {
        if matches!(part.part(), Part::Unet | Part::ControlNet) {
            let family = if part.is_second_generation() { SECOND } else { FIRST };
            self.family.get_or_insert(family.to_owned());
        }
        let sizes =
            part.names().filter_map(|name| part.shape(name)).map(|shape| shape.iter().product::<usize>());
        let parameters = sizes.sum::<usize>() as u64;
        self.parts.push(PartDescription { part: part.part(), parameters, architecture: architecture(part) });
    }
}

/// The fields of a configuration that tell models apart.
fn architecture(part: &PartFiles) -> Map<String, Value> {
    const FIELDS: [&str; 17] = [
        "in_channels",
        "out_channels",
        "latent_channels",
        "block_out_channels",
        "layers_per_block",
        "num_decoder_blocks",
        "cross_attention_dim",
        "attention_head_dim",
        "use_linear_projection",
        "conditioning_embedding_out_channels",
        "scaling_factor",
        "hidden_size",
        "num_hidden_layers",
        "num_attention_heads",
        "intermediate_size",
        "vocab_size",
        "hidden_act",
    ];
    let field = |&name: &&str| Some((name.to_owned(), part.config_json.get(name)?.clone()));
    FIELDS.iter().filter_map(field).filter(|(_, value)| !value.is_null()).collect()
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut lines: Vec<(String, String)> = Vec::new();
        let mut line = |label: &str, text: String| lines.push((label.to_owned(), text));
        line("path", self.path.display().to_string());
        line("kind", self.kind.to_string());
        line("family", self.family.clone().unwrap_or_else(|| "not known".into()));
        line("usable", if self.supported { "yes" } else { "no" }.into());
        if let Some(note) = &self.note {
            line("note", note.clone());
        }
        line("size", bytes(self.size));
        line("tensors", self.tensors.to_string());
        line("parameters", millions(self.parameters));
        let dtypes = self.dtypes.iter().map(|(dtype, count)| format!("{dtype} ({})", millions(*count)));
        line("stored as", dtypes.collect::<Vec<_>>().join(", "));
        if let Some(prediction) = &self.prediction_type {
            line("prediction", prediction.clone());
        }
        for (name, fact) in &self.facts {
            line(&name.replace('_', " "), plain(fact));
        }
        for part in &self.parts {
            line(&part.part.to_string(), millions(part.parameters));
            for (name, value) in &part.architecture {
                line(&format!("  {}", name.replace('_', " ")), plain(value));
            }
        }
        for (name, note) in &self.metadata {
            let more = if note.chars().count() > SHOWN_NOTE { "…" } else { "" };
            let shown: String =
                note.chars().take(SHOWN_NOTE).map(|c| if c.is_control() { ' ' } else { c }).collect();
            line(&format!("header: {name}"), format!("{shown}{more}"));
        }
        let width = lines.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
        for (index, (label, text)) in lines.iter().enumerate() {
            let newline = if index == 0 { "" } else { "\n" };
            write!(f, "{newline}{label:width$}  {text}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Self::Network(part) => return part.fmt(f),
            Self::ModelFolder => "model folder (diffusers)",
            Self::Checkpoint => "model in a single file",
            Self::Lora => "LoRA",
            Self::TextualInversion => "textual inversion",
            Self::IpAdapter => "IP-Adapter",
            Self::Pickle => "Python pickle",
            Self::Unknown => "unknown",
        })
    }
}

fn bytes(size: u64) -> String {
    let size = size as f64;
    if size < 1e6 { format!("{:.1} kB", size / 1e3) } else { format!("{:.1} MB", size / 1e6) }
}

fn millions(count: u64) -> String {
    if count < 100_000 { count.to_string() } else { format!("{:.1} million", count as f64 / 1e6) }
}

/// A JSON value without quotes and brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(plain).collect::<Vec<_>>().join(", "),
        Value::Null => "not known".into(),
        other => other.to_string(),
    }
}
