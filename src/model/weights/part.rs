//! The weights of one network: where each tensor lies, under its canonical name.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use candle_core::Tensor;
use serde_json::Value;

use super::entry::Entry;
use super::folder::{read_json, weight_files};
use super::keys::{Keys, Naming, foreign_family, is_harmless};
use super::networks::Part;
use super::shapes::Shapes;
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};

/// One network's weights: the configuration, and the tensors under their canonical names, of which only the headers
/// have been read. Cloning is cheap.
#[derive(Clone)]
pub struct PartFiles {
    part: Part,
    /// The configuration as diffusers or transformers write it; inferred for a single file.
    pub config_json: Value,
    origin: PathBuf,
    pub(super) files: Vec<Arc<TensorFile>>,
    pub(super) entries: BTreeMap<String, Entry>,
    pub(super) unknown: Vec<String>,
    open_clip: bool,
}

impl PartFiles {
    /// Opens a part: a diffusers folder of it, a model folder with that subfolder, or a single .safetensors file
    /// (of the part alone, or a whole checkpoint that holds it).
    ///
    /// # Errors
    /// A file or folder that is missing, malformed, a pickle, of another family, or without that part.
    pub fn open(path: &Path, part: Part) -> Result<Self> {
        if !path.is_dir() {
            let file = Arc::new(TensorFile::open(path)?);
            return Self::in_file(&file, part, beside(path, part));
        }
        let subfolder = path.join(part.folder());
        let folder = if subfolder.join("config.json").is_file() { subfolder } else { path.to_path_buf() };
        Self::in_folder(&folder, part, None)
    }

    /// Opens a part's own folder; `config` stands in for its `config.json`.
    pub(super) fn in_folder(folder: &Path, part: Part, config: Option<Value>) -> Result<Self> {
        let config_path = folder.join("config.json");
        let config = match config {
            Some(config) => config,
            None if !folder.exists() => {
                return Err(Error::weights(folder, format!("not found; the {part} is expected there")));
            }
            None => read_json(&config_path)?,
        };
        part.check_class(&config).map_err(|problem| Error::weights(&config_path, problem))?;
        let files = weight_files(folder)?.into_iter().map(|path| Ok(Arc::new(TensorFile::open(&path)?)));
        let files = files.collect::<Result<Vec<_>>>()?;
        Self::new(part, folder.to_path_buf(), files, &Naming::diffusers(), Some(config))
    }

    /// Finds a part in a single file; `config` stands in for the inferred one.
    pub(super) fn in_file(file: &Arc<TensorFile>, part: Part, config: Option<Value>) -> Result<Self> {
        let keys = Keys::new(file.tensors().keys().map(String::as_str));
        if let Some(family) = foreign_family(&keys) {
            return Err(Error::weights(file.path(), unsupported(family)));
        }
        let layers = config.as_ref().and_then(|config| config.get("num_hidden_layers")?.as_u64());
        let layers = layers.and_then(|layers| usize::try_from(layers).ok());
        let naming = (part.network().naming)(&keys, layers).ok_or_else(|| {
            let first: Vec<_> = file.tensors().keys().take(3).collect();
            let problem =
                format!("holds no {part} (its {} tensors begin with {first:?})", file.tensors().len());
            Error::weights(file.path(), problem)
        })?;
        Self::new(part, file.path().to_path_buf(), vec![file.clone()], &naming, config)
    }

    /// A part that is embedded in the library.
    #[cfg(embedded_weights)]
    pub(super) fn embedded(part: Part, name: &str, config: &str, weights: &'static [u8]) -> Result<Self> {
        let config = serde_json::from_str(config)
            .map_err(|error| Error::weights(name, format!("config.json is not JSON: {error}")))?;
        let files = vec![Arc::new(TensorFile::embedded(name, weights)?)];
        Self::new(part, PathBuf::from(name), files, &Naming::diffusers(), Some(config))
    }

    fn new(
        part: Part,
        origin: PathBuf,
        files: Vec<Arc<TensorFile>>,
        naming: &Naming,
        config: Option<Value>,
    ) -> Result<Self> {
        let (entries, unknown) = entries(part, &files, naming)?;
        let open_clip = naming.is_open_clip();
        let config = match config {
            Some(config) => config,
            None => (part.network().infer)(&Shapes(&entries), open_clip)
                .map_err(|problem| Error::weights(&origin, format!("{part}: {problem}")))?,
        };
        check_supported(part, &config).map_err(|problem| Error::weights(&origin, problem))?;
        Ok(Self { part, config_json: config, origin, files, entries, unknown, open_clip })
    }

    /// Two halves: the tensors whose names begin with `prefix`, without it, and the others.
    pub(super) fn split(self, prefix: &str) -> (Self, Self) {
        let (mut with, mut without) = (BTreeMap::new(), BTreeMap::new());
        for (name, entry) in self.entries {
            match name.strip_prefix(prefix) {
                Some(name) => with.insert(name.to_owned(), entry),
                None => without.insert(name, entry),
            };
        }
        let rest = Self { entries: BTreeMap::new(), ..self };
        (Self { entries: with, ..rest.clone() }, Self { entries: without, ..rest })
    }

    /// These weights under other names.
    ///
    /// # Errors
    /// A name for which there is no other.
    pub(super) fn renamed(mut self, name: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let mut entries = BTreeMap::new();
        for (old, entry) in std::mem::take(&mut self.entries) {
            let new = name(&old).ok_or_else(|| {
                Error::weights(&self.origin, format!("{}: belongs to no layer of the U-Net", entry.key))
            })?;
            entries.insert(new, entry);
        }
        self.entries = entries;
        Ok(self)
    }

    /// These weights and those of `other`, which has other names.
    pub fn with(&self, other: &Self) -> Self {
        let mut all = self.clone();
        let before = all.files.len();
        all.files.extend(other.files.iter().cloned());
        let moved = other
            .entries
            .iter()
            .map(|(name, entry)| (name.clone(), Entry { file: before + entry.file, ..entry.clone() }));
        all.entries.extend(moved);
        all
    }

    /// These weights, but for some `names`, which are those that `file` has under `prefix`.
    ///
    /// # Errors
    /// A name that is none of these weights', or a tensor of another shape.
    pub(super) fn replaced(&self, file: &Arc<TensorFile>, prefix: &str, names: &[&str]) -> Result<Self> {
        let mut all = self.clone();
        if names.is_empty() {
            return Ok(all);
        }
        all.files.push(file.clone());
        for &name in names {
            let key = format!("{prefix}{name}");
            let shape = file.shape(&key).unwrap_or_default().to_vec();
            let own = self.shape(name).unwrap_or_default();
            if own != shape {
                let problem = format!("{key} is {shape:?}, the {}'s is {own:?}", self.part);
                return Err(Error::weights(file.path(), problem));
            }
            all.entries.insert(name.to_owned(), Entry { file: self.files.len(), key, rows: None, shape });
        }
        Ok(all)
    }

    /// Which network this is.
    pub fn part(&self) -> Part {
        self.part
    }

    /// The folder or file that the part was opened from.
    pub fn path(&self) -> &Path {
        &self.origin
    }

    /// The canonical names of all tensors, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.entries.keys().map(String::as_str)
    }

    /// The shape of a tensor by its canonical name.
    pub fn shape(&self, name: &str) -> Option<&[usize]> {
        self.entries.get(name).map(|entry| entry.shape.as_slice())
    }

    /// A tensor by its canonical name, on the CPU, in its stored type.
    ///
    /// # Errors
    /// No such tensor, NaN or infinity in it, or a stored type other than f16, bf16, f32 and f64.
    pub fn tensor(&self, name: &str) -> Result<Tensor> {
        let entry = self.entries.get(name);
        let entry = entry.ok_or_else(|| Error::weights(&self.origin, format!("{name}: no such tensor")))?;
        Ok(self.read(entry)?.0)
    }

    /// BLAKE3, in hexadecimal, of the files and the configuration: it changes when either does.
    pub fn fingerprint(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        for file in &self.files {
            hasher.update(file.hash().as_bytes());
        }
        hasher.update(self.part.folder().as_bytes()).update(self.config_json.to_string().as_bytes());
        hasher.finalize().to_hex().to_string()
    }

    /// Whether the part belongs to SD 2.x rather than 1.x.
    pub(super) fn is_second_generation(&self) -> bool {
        match self.part {
            Part::TextEncoder => self.open_clip,
            _ => Shapes(&self.entries).has_linear_projection(),
        }
    }

    /// A tensor and the largest magnitude in it.
    pub(super) fn read(&self, entry: &Entry) -> Result<(Tensor, f64)> {
        let file = self.files.get(entry.file);
        let file =
            file.ok_or_else(|| Error::weights(&self.origin, format!("{}: no such file", entry.key)))?;
        let (tensor, magnitude) = match entry.rows {
            Some((start, length)) => file.rows(&entry.key, start, length)?,
            None => file.tensor(&entry.key)?,
        };
        Ok((tensor.reshape(entry.shape.as_slice())?, magnitude))
    }

    /// The file and key of a tensor, for messages.
    pub(super) fn place(&self, entry: &Entry) -> (PathBuf, String) {
        let path = self.files.get(entry.file).map_or(self.origin.as_path(), |file| file.path());
        (path.to_path_buf(), entry.key.clone())
    }
}

impl fmt::Debug for PartFiles {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "PartFiles({}, {}, {} tensors)", self.part, self.origin.display(), self.entries.len())
    }
}

/// The `config.json` beside a single file, if it is this part's (and not that of something else in the same folder).
fn beside(path: &Path, part: Part) -> Option<Value> {
    let config = read_json(&path.with_file_name("config.json")).ok()?;
    part.is_described_by(&config).then_some(config)
}

/// Refuses networks that this program cannot use, by their configuration.
fn check_supported(part: Part, config: &Value) -> std::result::Result<(), String> {
    if config.get("addition_embed_type").is_some_and(|kind| !kind.is_null()) {
        return Err(unsupported("SDXL"));
    }
    (part.network().check)(config)
}

fn unsupported(family: &str) -> String {
    format!("is {family}, which is not supported; Stable Diffusion 1.x and 2.x are")
}

type Entries = (BTreeMap<String, Entry>, Vec<String>);

/// Every tensor of the files under its canonical name, and the keys that have none.
fn entries(part: Part, files: &[Arc<TensorFile>], naming: &Naming) -> Result<Entries> {
    let mut entries = BTreeMap::new();
    let mut unknown = Vec::new();
    for (file, source) in files.iter().enumerate() {
        for (key, info) in source.tensors().iter().filter(|(key, _)| key.starts_with(naming.prefix)) {
            let Some(name) = naming.canonical(key, part.network().from_diffusers) else {
                let dropped = naming.is_open_clip() && key.contains("resblocks.");
                let elsewhere = naming.prefix.is_empty() && part.has_no_use_for(key);
                if !(dropped || elsewhere || is_harmless(key)) {
                    unknown.push(key.clone());
                }
                continue;
            };
            for (name, entry) in split(part, file, key, name, &info.shape) {
                if let Some(other) = entries.insert(name.clone(), entry) {
                    let problem = format!("{} and {key} are both {name}", other.key);
                    return Err(Error::weights(source.path(), problem));
                }
            }
        }
    }
    Ok((entries, unknown))
}

/// One entry, or three for a tensor that holds query, key and value.
fn split(part: Part, file: usize, key: &str, name: String, shape: &[usize]) -> Vec<(String, Entry)> {
    let entry = |rows, shape| Entry { file, key: key.to_owned(), rows, shape };
    if let (Some((layer, end)), Some((&rows, rest))) = (name.split_once(".in_proj_"), shape.split_first())
        && rows % 3 == 0
    {
        let third = rows / 3;
        let shape: Vec<usize> = std::iter::once(third).chain(rest.iter().copied()).collect();
        return ["q", "k", "v"]
            .into_iter()
            .enumerate()
            .map(|(place, letter)| {
                let name = format!("{layer}.{letter}_proj.{end}");
                (name, entry(Some((place * third, third)), shape.clone()))
            })
            .collect();
    }
    let squeezed =
        (part.network().is_squeezed)(&name) && shape.len() > 2 && shape.iter().skip(2).all(|&size| size == 1);
    let shape = if squeezed { shape.iter().take(2).copied().collect() } else { shape.to_vec() };
    vec![(name, entry(None, shape))]
}
