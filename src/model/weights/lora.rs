//! LoRA: low-rank changes of a network's weights, `W + weight · alpha / rank · up · down` (Hu et al. 2021,
//! <https://arxiv.org/abs/2106.09685>), as kohya's scripts, diffusers and PEFT store them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use candle_core::{DType, Tensor};

use super::keys::unet_originals;
use super::lora_keys::{LoraNaming, Piece, parse_key, unsupported_kind};
use super::networks::Part;
use super::part::PartFiles;
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};

/// Keys that an error names before it says "and n more".
const LISTED: usize = 20;

/// A LoRA file: the changes of a U-Net's weights, of a text encoder's, or of both.
#[derive(Debug, Clone)]
pub struct Lora {
    file: Arc<TensorFile>,
    layers: Vec<Layer>,
}

/// The change of one weight: keys of the file.
#[derive(Debug, Clone, Default)]
struct Layer {
    target: String,
    part: Option<Part>,
    naming: Option<LoraNaming>,
    down: Option<String>,
    up: Option<String>,
    mid: Option<String>,
    alpha: Option<f64>,
    /// PEFT's rank-stabilised scale, alpha / √rank.
    rank_stabilised: bool,
}

impl Lora {
    /// Opens a LoRA file and reads its keys.
    ///
    /// # Errors
    /// Keys that are not those of a LoRA (they are listed); kinds that cannot be merged this way (LoHa, LoKr, DoRA…).
    /// A LoRA of SDXL, halves of pairs, and everything that [`PartFiles::open`] refuses.
    pub fn open(path: &Path) -> Result<Self> {
        Self::in_file(Arc::new(TensorFile::open(path)?), |_| true)
    }

    /// The LoRA among the tensors of a file: those whose keys `is_ours`.
    pub(super) fn in_file(file: Arc<TensorFile>, is_ours: impl Fn(&str) -> bool) -> Result<Self> {
        let fail = |problem: String| Error::weights(file.path(), problem);
        if let Some((kind, keys)) = unsupported_kind(file.tensors().keys()) {
            return Err(fail(format!("is {kind}, which is not supported; its keys: {}", list(&keys))));
        }
        let mut layers = layers(&file, is_ours)?;
        if layers.is_empty() {
            return Err(fail("holds no tensors".into()));
        }
        let halves = layers.iter().filter(|layer| layer.down.is_none() || layer.up.is_none());
        let halves: Vec<_> = halves.map(|layer| layer.target.clone()).collect();
        if !halves.is_empty() {
            return Err(fail(format!("lacks the up or the down weight of {}", list(&halves))));
        }
        header_alphas(&file, &mut layers)?;
        Ok(Self { file, layers })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    /// BLAKE3 of the file, in hexadecimal.
    pub fn fingerprint(&self) -> String {
        self.file.hash().to_hex().to_string()
    }

    /// How many weights of `part` the file changes.
    pub fn targets(&self, part: Part) -> usize {
        self.layers.iter().filter(|layer| layer.part == Some(part)).count()
    }

    /// Every rank that occurs, ascending.
    pub fn ranks(&self) -> Vec<usize> {
        let shapes = self.layers.iter().filter_map(|layer| self.file.shape(layer.down.as_ref()?));
        let mut ranks: Vec<_> = shapes.filter_map(|shape| shape.first().copied()).collect();
        ranks.sort_unstable();
        ranks.dedup();
        ranks
    }

    /// Every alpha that the file states, ascending; where it states none, alpha is the rank.
    pub fn alphas(&self) -> Vec<f64> {
        let mut alphas: Vec<_> = self.layers.iter().filter_map(|layer| layer.alpha).collect();
        alphas.sort_by(f64::total_cmp);
        alphas.dedup();
        alphas
    }

    /// The naming that its keys follow.
    pub fn naming(&self) -> LoraNaming {
        self.layers.iter().find_map(|layer| layer.naming).unwrap_or(LoraNaming::Kohya)
    }

    /// Width of the text context that it was made for, if it changes cross-attention.
    pub fn context_width(&self) -> Option<usize> {
        let cross =
            |layer: &&Layer| layer.target.ends_with("attn2.to_k") || layer.target.ends_with("attn2_to_k");
        self.file.shape(self.layers.iter().find(cross)?.down.as_ref()?)?.get(1).copied()
    }

    /// The changes of `part`'s weights, by canonical name, times `weight`.
    ///
    /// # Errors
    /// A weight that is not finite; targets that the network does not have (listed); a part that LoRAs do not change.
    pub(super) fn deltas<'a>(&'a self, part: &PartFiles, weight: f64) -> Result<Vec<(String, Delta<'a>)>> {
        if !weight.is_finite() {
            let problem = format!("{weight} is not a number to multiply {} by", self.path().display());
            return Err(Error::setting("lora", problem));
        }
        let kind = part.part();
        if !matches!(kind, Part::Unet | Part::TextEncoder) {
            let problem = format!("a LoRA changes the U-Net and the text encoder, not the {kind}");
            return Err(Error::weights(self.path(), problem));
        }
        let names = targets(part);
        let (mut deltas, mut unknown) = (Vec::new(), Vec::new());
        for layer in self.layers.iter().filter(|layer| layer.part == Some(kind)) {
            match names.get(&layer.target) {
                Some(name) => deltas.push((name.clone(), Delta { lora: self, layer, weight })),
                None => unknown.push(layer.target.clone()),
            }
        }
        if !unknown.is_empty() {
            let problem = format!("changes layers that this {kind} does not have: {}", list(&unknown));
            return Err(Error::weights(self.path(), problem));
        }
        Ok(deltas)
    }
}

/// The layers that a file's keys speak of. Alphas are read, tensors are not.
fn layers(file: &TensorFile, is_ours: impl Fn(&str) -> bool) -> Result<Vec<Layer>> {
    let fail = |problem: String| Error::weights(file.path(), problem);
    let mut layers: BTreeMap<(Part, String), Layer> = BTreeMap::new();
    let mut unknown = Vec::new();
    for key in file.tensors().keys().filter(|key| is_ours(key)) {
        let Some(parsed) = parse_key(key) else {
            unknown.push(key.clone());
            continue;
        };
        let layer = layers.entry((parsed.part, parsed.target.clone())).or_default();
        layer.part = Some(parsed.part);
        layer.naming.get_or_insert(parsed.naming);
        layer.target = parsed.target;
        let slot = match parsed.piece {
            Piece::Down => &mut layer.down,
            Piece::Up => &mut layer.up,
            Piece::Mid => &mut layer.mid,
            Piece::Alpha => {
                layer.alpha = Some(file.number(key)?);
                continue;
            }
        };
        if let Some(other) = slot.replace(key.clone()) {
            return Err(fail(format!("{other} and {key} are the same weight")));
        }
    }
    if !unknown.is_empty() {
        return Err(fail(format!("holds keys that are not those of a LoRA: {}", list(&unknown))));
    }
    Ok(layers.into_values().collect())
}

/// The change of one weight by one LoRA.
pub(super) struct Delta<'a> {
    lora: &'a Lora,
    layer: &'a Layer,
    weight: f64,
}

impl Delta<'_> {
    /// `weight · alpha / rank · up · down`, f32, in the shape of the weight that it changes.
    pub fn tensor(&self, shape: &[usize]) -> Result<Tensor> {
        let fail =
            |problem: String| Error::weights(self.lora.path(), format!("{}: {problem}", self.layer.target));
        let (down, up) = (self.read(self.layer.down.as_ref())?, self.read(self.layer.up.as_ref())?);
        let (Some(down), Some(up)) = (down, up) else { return Err(fail("lacks a weight".into())) };
        let mid = self.read(self.layer.mid.as_ref())?;
        let rank = down.dims().first().copied().unwrap_or(0);
        let misfit = || {
            let mid = mid.as_ref().map_or(String::new(), |mid| format!(" · {:?}", mid.dims()));
            let product = format!("{:?}{mid} · {:?}", up.dims(), down.dims());
            fail(format!("{product} does not give the shape {shape:?} of the weight it changes"))
        };
        let outputs = shape.first().copied().unwrap_or(0);
        let fits = rank > 0
            && shape.len() >= 2
            && up.dims().first() == Some(&outputs)
            && (mid.is_some() || up.elem_count() == outputs * rank);
        if !fits {
            return Err(misfit());
        }
        let product = match &mid {
            None if down.elem_count() * outputs == rank * shape.iter().product::<usize>() => {
                up.reshape((outputs, rank))?.matmul(&down.flatten_from(1)?)?
            }
            None => return Err(misfit()),
            Some(mid) => tucker(&down, mid, &up, shape)?.ok_or_else(misfit)?,
        };
        let divisor = if self.layer.rank_stabilised { (rank as f64).sqrt() } else { rank as f64 };
        let scale = self.layer.alpha.map_or(1.0, |alpha| alpha / divisor);
        Ok((product.reshape(shape)? * (self.weight * scale))?)
    }

    fn read(&self, key: Option<&String>) -> Result<Option<Tensor>> {
        let Some(key) = key else { return Ok(None) };
        Ok(Some(self.lora.file.tensor(key)?.0.to_dtype(DType::F32)?))
    }
}

/// The Tucker form of a convolution's change (LoCon): `up (o, n) · mid (n, m, h, w) · down (m, i)` as `(o, i, h, w)`;
/// `None` where the shapes do not fit.
fn tucker(down: &Tensor, mid: &Tensor, up: &Tensor, shape: &[usize]) -> Result<Option<Tensor>> {
    let (&[outputs, inputs, height, width], &[n, m, mid_height, mid_width]) = (shape, mid.dims()) else {
        return Ok(None);
    };
    let fits = up.elem_count() == outputs * n
        && down.elem_count() == m * inputs
        && (mid_height, mid_width) == (height, width);
    if !fits {
        return Ok(None);
    }
    let core = mid.permute((2, 3, 0, 1))?.contiguous()?.reshape((height * width, n, m))?;
    let left = up.reshape((outputs, n))?.broadcast_left(height * width)?.contiguous()?;
    let right = down.reshape((m, inputs))?.broadcast_left(height * width)?.contiguous()?;
    let product = left.matmul(&core)?.matmul(&right)?;
    Ok(Some(product.reshape((height, width, outputs, inputs))?.permute((2, 3, 0, 1))?.contiguous()?))
}

/// What a LoRA may call each weight of `part`, and the weight's canonical name.
fn targets(part: &PartFiles) -> BTreeMap<String, String> {
    let originals = (part.part() == Part::Unet).then(|| unet_originals(part.names()));
    let mut targets = BTreeMap::new();
    for name in part.names() {
        let Some(layer) = name.strip_suffix(".weight") else { continue };
        let mut aliases = vec![layer.to_owned(), layer.replace('.', "_")];
        if let Some(originals) = &originals {
            aliases
                .extend(originals.to_original(layer).into_iter().map(|original| original.replace('.', "_")));
        }
        for alias in aliases {
            targets.insert(alias, name.to_owned());
        }
    }
    targets
}

/// Takes alphas from the header, where diffusers writes them since 2025 (`lora_adapter_metadata`).
fn header_alphas(file: &TensorFile, layers: &mut [Layer]) -> Result<()> {
    let Some(text) = file.metadata().get("lora_adapter_metadata") else { return Ok(()) };
    let json: serde_json::Value = serde_json::from_str(text).map_err(|error| {
        Error::weights(file.path(), format!("lora_adapter_metadata is not JSON: {error}"))
    })?;
    for layer in layers.iter_mut().filter(|layer| layer.alpha.is_none()) {
        let prefix = layer.part.map_or("", Part::folder);
        let field = |name: &str| json.get(format!("{prefix}.{name}"));
        let patterns = field("alpha_pattern").and_then(|patterns| patterns.as_object());
        let matches =
            |pattern: &str| layer.target == pattern || layer.target.ends_with(&format!(".{pattern}"));
        let special = patterns.and_then(|patterns| patterns.iter().find(|(pattern, _)| matches(pattern)));
        let alpha = special.map(|(_, alpha)| alpha).or_else(|| field("lora_alpha"));
        layer.alpha = alpha.and_then(serde_json::Value::as_f64);
        layer.rank_stabilised = field("use_rslora").and_then(serde_json::Value::as_bool).unwrap_or(false);
    }
    Ok(())
}

/// The keys, the first of them if there are many.
fn list(keys: &[String]) -> String {
    let more = keys.len().saturating_sub(LISTED);
    let shown = keys.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
    if more == 0 { shown } else { format!("{shown} and {more} more") }
}
