//! Textual inversion: learned embeddings that a word of the prompt stands for (Gal et al. 2022,
//! <https://arxiv.org/abs/2208.01618>).

use std::path::Path;

use candle_core::{DType, Tensor};

use super::tensor_file::TensorFile;
use crate::error::{Error, Result};

/// Most vectors that one word may stand for: what fits between the begin and end tokens.
const MAX_VECTORS: usize = 75;

/// A word and the embeddings that take its place.
#[derive(Debug, Clone)]
pub struct TextualInversion {
    /// The word in the prompt.
    pub word: String,
    /// One embedding for each token, `(vectors, hidden size)`, f32 on the CPU.
    pub vectors: Tensor,
    /// BLAKE3 of the file, in hexadecimal.
    pub fingerprint: String,
}

impl TextualInversion {
    /// Reads `{word: tensor}` as diffusers writes it, or `emb_params` of A1111, where the word is the file's name.
    ///
    /// # Errors
    /// Another number of tensors than one, a tensor that is not `(vectors, hidden size)` or `(hidden size)`, more
    /// vectors than a prompt has room for. Embeddings of SDXL, and everything that
    /// [`PartFiles::open`](super::PartFiles::open) refuses.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TensorFile::open(path)?;
        let fail = |problem: String| Error::weights(path, problem);
        if ["clip_g", "clip_l"].iter().any(|key| file.shape(key).is_some()) {
            return Err(fail(
                "is a textual inversion of SDXL (clip_l, clip_g), which is not supported".into(),
            ));
        }
        let keys: Vec<_> = file.tensors().keys().collect();
        let [key] = keys.as_slice() else {
            return Err(fail(format!("holds {} tensors; a textual inversion holds one", keys.len())));
        };
        let (tensor, _) = file.tensor(key)?;
        let vectors = if tensor.rank() == 1 { tensor.unsqueeze(0)? } else { tensor };
        let allowed =
            vectors.rank() == 2 && (1..=MAX_VECTORS).contains(&vectors.dims().first().copied().unwrap_or(0));
        if !allowed || vectors.elem_count() == 0 {
            let shape = vectors.dims();
            let problem =
                format!("{key} has the shape {shape:?}; (1 to {MAX_VECTORS}, hidden size) was expected");
            return Err(fail(problem));
        }
        let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
        let word = if ["emb_params", "*"].contains(&key.as_str()) { stem } else { (*key).clone() };
        let vectors = vectors.to_dtype(DType::F32)?;
        Ok(Self { word, vectors, fingerprint: file.hash().to_hex().to_string() })
    }
}
