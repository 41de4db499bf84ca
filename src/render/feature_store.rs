//! Keeps a reference's features for a whole clip: in memory up to a budget, beyond it in a temporary file.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::sync::Arc;

use candle_core::{DType, Device, Tensor};

use crate::diffusion::ReferenceNoise;
use crate::error::{Error, Result};
use crate::model::attention::ReferenceTokens;
use crate::model::transformer::ReferencePass;

/// The sampler's step, and the noise that the reference carries in the pass.
pub type FeatureKey = (usize, ReferenceNoise);

/// What happens to features once they are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FeatureCache {
    /// Kept for the clip: this many bytes in memory, the rest in a temporary file.
    Keep {
        /// The memory budget in bytes.
        bytes: usize,
    },
    /// Computed again each time.
    Recompute,
}

/// 256 MiB in memory.
impl Default for FeatureCache {
    fn default() -> Self {
        Self::Keep { bytes: 256 << 20 }
    }
}

/// The features of one reference for each step and noise.
#[derive(Debug)]
pub struct FeatureStore {
    cache: FeatureCache,
    in_memory: usize,
    entries: HashMap<FeatureKey, Entry>,
    file: Option<File>,
    file_length: u64,
}

#[derive(Debug)]
enum Entry {
    Memory(Arc<ReferencePass>),
    Spilled(BTreeMap<usize, SpilledTokens>),
}

/// Where a layer's features lie in the file. The log-weights are small and stay in memory.
#[derive(Debug)]
struct SpilledTokens {
    offset: u64,
    shape: Vec<usize>,
    dtype: DType,
    device: Device,
    log_weights: Option<Tensor>,
}

impl FeatureStore {
    /// An empty store.
    pub fn new(cache: FeatureCache) -> Self {
        Self { cache, in_memory: 0, entries: HashMap::new(), file: None, file_length: 0 }
    }

    /// The features under `key`, computed if they are not there yet.
    ///
    /// # Errors
    /// Those of `compute`, and [`Error::Io`] for the temporary file.
    pub fn get_or_compute(
        &mut self,
        key: FeatureKey,
        compute: impl FnOnce() -> Result<ReferencePass>,
    ) -> Result<Arc<ReferencePass>> {
        let FeatureCache::Keep { bytes: budget } = self.cache else {
            return compute().map(Arc::new);
        };
        match self.entries.get(&key) {
            Some(Entry::Memory(pass)) => return Ok(pass.clone()),
            Some(Entry::Spilled(layers)) => return read_back(self.file.as_mut(), layers).map(Arc::new),
            None => {}
        }
        let pass = Arc::new(compute()?);
        let size: usize = pass.values().map(|tokens| size_of(&tokens.features)).sum();
        let entry = if self.in_memory + size <= budget {
            self.in_memory += size;
            Entry::Memory(pass.clone())
        } else {
            Entry::Spilled(self.spill(&pass)?)
        };
        self.entries.insert(key, entry);
        Ok(pass)
    }

    fn spill(&mut self, pass: &ReferencePass) -> Result<BTreeMap<usize, SpilledTokens>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                tracing::info!(
                    "reference features exceed their memory budget; the rest goes to a temporary file"
                );
                self.file.insert(tempfile::tempfile().map_err(temporary)?)
            }
        };
        file.seek(SeekFrom::Start(self.file_length)).map_err(temporary)?;
        let mut layers = BTreeMap::new();
        for (&layer, ReferenceTokens { features, log_weights }) in pass {
            let bytes = to_bytes(features)?;
            file.write_all(&bytes).map_err(temporary)?;
            let spilled = SpilledTokens {
                offset: self.file_length,
                shape: features.dims().to_vec(),
                dtype: features.dtype(),
                device: features.device().clone(),
                log_weights: log_weights.clone(),
            };
            layers.insert(layer, spilled);
            self.file_length += bytes.len() as u64;
        }
        Ok(layers)
    }
}

fn read_back(file: Option<&mut File>, layers: &BTreeMap<usize, SpilledTokens>) -> Result<ReferencePass> {
    let file = file.ok_or_else(|| temporary(std::io::ErrorKind::NotFound.into()))?;
    let mut read = |tokens: &SpilledTokens| -> Result<ReferenceTokens> {
        let length = tokens.shape.iter().product::<usize>() * tokens.dtype.size_in_bytes();
        let mut bytes = vec![0; length];
        file.seek(SeekFrom::Start(tokens.offset)).map_err(temporary)?;
        file.read_exact(&mut bytes).map_err(temporary)?;
        let features = Tensor::from_raw_buffer(&bytes, tokens.dtype, &tokens.shape, &tokens.device)?;
        Ok(ReferenceTokens { features, log_weights: tokens.log_weights.clone() })
    };
    layers.iter().map(|(&layer, tokens)| Ok((layer, read(tokens)?))).collect()
}

fn temporary(error: std::io::Error) -> Error {
    Error::io(std::env::temp_dir(), error)
}

fn size_of(tensor: &Tensor) -> usize {
    tensor.elem_count() * tensor.dtype().size_in_bytes()
}

/// The tensor's values, row by row, in the machine's byte order.
fn to_bytes(tensor: &Tensor) -> Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(size_of(tensor));
    tensor.write_bytes(&mut bytes)?;
    Ok(bytes)
}
