//! One safetensors file, memory-mapped (or embedded in the program), its header checked before anything is allocated.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use candle_core::{DType, Device, Tensor};
use memmap2::Mmap;
use rayon::prelude::*;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::error::{Error, Result};
use crate::files;

/// Largest header that is read. Stable Diffusion's own takes 0.2 MB; a LoRA's training notes can take a few.
const MAX_HEADER_BYTES: usize = 64 << 20;
/// Most tensors in one file. A whole Stable Diffusion checkpoint has about 1,100.
const MAX_TENSORS: usize = 200_000;
/// Bytes that are hashed before their memory is given back.
const HASHED_BYTES: usize = 256 << 20;
/// Length of the number that precedes the header.
const LENGTH_BYTES: usize = 8;
/// Extensions of files that hold Python objects.
const PICKLE_EXTENSIONS: [&str; 5] = ["ckpt", "pt", "pth", "bin", "pkl"];

enum Bytes {
    Mapped(Mmap),
    #[cfg_attr(not(embedded_weights), expect(dead_code, reason = "nothing is embedded"))]
    Embedded(&'static [u8]),
}

/// A checked safetensors file. Tensors are read from it on request.
pub(super) struct TensorFile {
    path: PathBuf,
    bytes: Bytes,
    data_start: usize,
    tensors: BTreeMap<String, TensorInfo>,
    metadata: BTreeMap<String, String>,
    hash: OnceLock<blake3::Hash>,
}

impl std::fmt::Debug for TensorFile {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("TensorFile").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TensorFile {
    /// Maps the file and checks its header.
    ///
    /// # Errors
    /// A file that is missing, empty, truncated, a pickle, or whose header contradicts its size.
    pub fn open(path: &Path) -> Result<Self> {
        // A pipe would be waited for.
        let is_special = path.metadata().is_ok_and(|facts| !facts.is_file());
        if is_special {
            return Err(Error::weights(path, "is not a file; a .safetensors file was expected"));
        }
        let file = File::open(path).map_err(|error| Error::io(path, error))?;
        let kind = file.metadata().map_err(|error| Error::io(path, error))?;
        if kind.len() == 0 {
            return Err(Error::weights(path, "the file is empty (0 bytes)"));
        }
        // SAFETY: the map is only read. As with every memory-mapped reader, the file must not be cut short meanwhile.
        let map = unsafe { Mmap::map(&file) }.map_err(|error| Error::io(path, error))?;
        Self::from_bytes(path.to_path_buf(), Bytes::Mapped(map))
    }

    /// Checks a file that is part of the program; `name` stands in messages.
    #[cfg(embedded_weights)]
    pub fn embedded(name: &str, bytes: &'static [u8]) -> Result<Self> {
        Self::from_bytes(PathBuf::from(name), Bytes::Embedded(bytes))
    }

    fn from_bytes(path: PathBuf, bytes: Bytes) -> Result<Self> {
        let content = match &bytes {
            Bytes::Mapped(map) => &map[..],
            Bytes::Embedded(slice) => slice,
        };
        let (data_start, header) = parse_header(&path, content)?;
        let tensors = header.tensors().into_iter().map(|(name, info)| (name, info.clone())).collect();
        let metadata = header.metadata().clone().unwrap_or_default().into_iter().collect();
        Ok(Self { path, bytes, data_start, tensors, metadata, hash: OnceLock::new() })
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Every tensor's name, stored type and shape, in alphabetical order.
    pub fn tensors(&self) -> &BTreeMap<String, TensorInfo> {
        &self.tensors
    }

    /// The shape of a tensor, if the file has it.
    pub fn shape(&self, key: &str) -> Option<&[usize]> {
        self.tensors.get(key).map(|info| info.shape.as_slice())
    }

    /// The header's free-form notes.
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.metadata
    }

    /// Size of the file in bytes.
    pub fn size(&self) -> u64 {
        self.content().len() as u64
    }

    /// BLAKE3 of the whole file, computed once.
    pub fn hash(&self) -> blake3::Hash {
        *self.hash.get_or_init(|| {
            let mut hasher = blake3::Hasher::new();
            for (index, part) in self.content().chunks(HASHED_BYTES).enumerate() {
                hasher.update_rayon(part);
                self.release(index * HASHED_BYTES, part.len());
            }
            hasher.finalize()
        })
    }

    /// Gives back the memory that a part of the file takes up in this process.
    fn release(&self, offset: usize, length: usize) {
        #[cfg(unix)]
        if let Bytes::Mapped(map) = &self.bytes {
            // SAFETY: the map is only read: its pages come back from the file as they were.
            let released =
                unsafe { map.unchecked_advise_range(memmap2::UncheckedAdvice::DontNeed, offset, length) };
            if let Err(error) = released {
                tracing::debug!("{}: memory could not be given back: {error}", self.path.display());
            }
        }
    }

    /// The tensor called `key` on the CPU, in its stored type, and the largest magnitude in it.
    ///
    /// # Errors
    /// No such tensor; a stored type other than f16, bf16, f32 and f64; NaN or infinity.
    pub fn tensor(&self, key: &str) -> Result<(Tensor, f64)> {
        let rows = self.shape(key).and_then(|shape| shape.first()).copied().unwrap_or(1);
        self.rows(key, 0, rows)
    }

    /// Rows `start .. start + length` of the first dimension of `key`, as [`TensorFile::tensor`].
    pub fn rows(&self, key: &str, start: usize, length: usize) -> Result<(Tensor, f64)> {
        let fail = |problem: String| Error::weights(&self.path, format!("{key}: {problem}"));
        let info = self.tensors.get(key).ok_or_else(|| fail("no such tensor".into()))?;
        let dtype = match info.dtype {
            Dtype::F16 => DType::F16,
            Dtype::BF16 => DType::BF16,
            Dtype::F32 => DType::F32,
            Dtype::F64 => DType::F64,
            other => return Err(fail(format!("is stored as {other}; F16, BF16, F32 and F64 can be read"))),
        };
        let (begin, end) = info.data_offsets;
        let data = self.content().get(self.data_start + begin..self.data_start + end);
        let mut data = data.ok_or_else(|| fail("lies outside the file".into()))?;
        let mut shape = info.shape.clone();
        if let Some(count) = shape.first_mut() {
            let row = data.len().checked_div(*count).unwrap_or(0);
            let part = start.checked_add(length).and_then(|end| data.get(start * row..end * row));
            data = part.ok_or_else(|| fail(format!("has no rows {start} to {}", start + length)))?;
            *count = length;
        }
        let magnitude = largest_magnitude(dtype, data);
        if !magnitude.is_finite() {
            return Err(fail("holds NaN or infinity".into()));
        }
        let tensor = Tensor::from_raw_buffer(data, dtype, &shape, &Device::Cpu)?;
        self.release(self.data_start + begin, end - begin);
        Ok((tensor, magnitude))
    }

    /// A single number: a tensor with one value, which some files store as an integer.
    pub fn number(&self, key: &str) -> Result<f64> {
        let fail = |problem: String| Error::weights(&self.path, format!("{key}: {problem}"));
        let info = self.tensors.get(key).ok_or_else(|| fail("no such tensor".into()))?;
        if info.shape.iter().product::<usize>() != 1 {
            return Err(fail(format!("has the shape {:?}; one value was expected", info.shape)));
        }
        let begin = self.data_start + info.data_offsets.0;
        let integer = match info.dtype {
            Dtype::I64 => {
                self.content().get(begin..).and_then(<[u8]>::first_chunk).map(|b| i64::from_le_bytes(*b))
            }
            Dtype::I32 => {
                let bytes = self.content().get(begin..).and_then(<[u8]>::first_chunk);
                bytes.map(|bytes| i64::from(i32::from_le_bytes(*bytes)))
            }
            _ => None,
        };
        match integer {
            Some(integer) => Ok(integer as f64),
            None => Ok(self.tensor(key)?.0.to_dtype(DType::F64)?.reshape(())?.to_scalar()?),
        }
    }

    fn content(&self) -> &[u8] {
        match &self.bytes {
            Bytes::Mapped(map) => map,
            Bytes::Embedded(slice) => slice,
        }
    }
}

/// The offset of the data and the checked header: types, shapes and offsets agree with each other and with the file.
fn parse_header(path: &Path, content: &[u8]) -> Result<(usize, Metadata)> {
    refuse_other_formats(path, content)?;
    let fail = |problem: String| Error::weights(path, problem);
    let length = content.first_chunk::<LENGTH_BYTES>().map(|bytes| u64::from_le_bytes(*bytes));
    let length = length.ok_or_else(|| {
        fail(format!("{} bytes are too few for a safetensors file; is it truncated?", content.len()))
    })?;
    let available = content.len() - LENGTH_BYTES;
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    if length > MAX_HEADER_BYTES {
        return Err(fail(format!(
            "announces a header of {length} bytes; at most {MAX_HEADER_BYTES} are allowed (not a safetensors file?)"
        )));
    }
    let data_start = LENGTH_BYTES + length;
    let header = content.get(LENGTH_BYTES..data_start).ok_or_else(|| {
        fail(format!("announces a header of {length} bytes, the file has {available} more; is it truncated?"))
    })?;
    let header: Metadata = serde_json::from_slice(header)
        .map_err(|error| fail(format!("the safetensors header is malformed: {error}")))?;
    let (announced, found) = (header.data_len(), available - length);
    if announced != found {
        let guess = if announced > found { "; is it truncated?" } else { "" };
        return Err(fail(format!("announces {announced} bytes of tensors, the file has {found}{guess}")));
    }
    let count = header.tensors().len();
    if count > MAX_TENSORS {
        return Err(fail(format!("holds {count} tensors; at most {MAX_TENSORS} are allowed")));
    }
    Ok((data_start, header))
}

/// Refuses, by their first bytes, files that users mistake for safetensors.
fn refuse_other_formats(path: &Path, content: &[u8]) -> Result<()> {
    // A safetensors header is JSON from the ninth byte on; the bytes before it are a number and may look like anything.
    if content.get(LENGTH_BYTES) == Some(&b'{') {
        return Ok(());
    }
    if is_pickle(path, content) {
        return Err(Error::weights(path, pickle_problem(path)));
    }
    let other = [
        (&b"version https://git-lfs"[..], "is a Git LFS pointer, not the weights: run `git lfs pull`"),
        (b"GGUF", "is a GGUF file; a .safetensors file is needed"),
        (b"<!DOCTYPE", "is a web page, not weights: download the file itself"),
        (b"<html", "is a web page, not weights: download the file itself"),
    ];
    match other.into_iter().find(|(start, _)| content.starts_with(start)) {
        Some((_, problem)) => Err(Error::weights(path, problem)),
        None => Ok(()),
    }
}

/// Whether a file on disk is a Python pickle rather than safetensors.
pub(super) fn is_pickle_file(path: &Path) -> Result<bool> {
    let mut start = Vec::new();
    let file = files::open(path).map_err(Error::of_weights)?;
    file.take(LENGTH_BYTES as u64 + 1).read_to_end(&mut start).map_err(|error| Error::io(path, error))?;
    Ok(!start.is_empty() && start.get(LENGTH_BYTES) != Some(&b'{') && is_pickle(path, &start))
}

/// Whether a file is a Python pickle, by its first bytes or its extension.
fn is_pickle(path: &Path, content: &[u8]) -> bool {
    let zip = content.starts_with(b"PK\x03\x04");
    let bare =
        content.first() == Some(&0x80) && content.get(1).is_some_and(|version| (2..=5).contains(version));
    zip || bare || has_pickle_extension(path)
}

/// Whether a file's name says that it is a Python pickle.
pub(super) fn has_pickle_extension(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    PICKLE_EXTENSIONS.iter().any(|pickle| extension.eq_ignore_ascii_case(pickle))
}

/// Why a pickle is refused, and the line of Python that converts it.
pub(super) fn pickle_problem(path: &Path) -> String {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    format!(
        "is a Python pickle, which can run code when it is read, so it is refused. Convert it once: python -c \
         \"import torch, safetensors.torch as s; w = torch.load('{name}', map_location='cpu', weights_only=True); \
         w = w.get('state_dict', w); s.save_file({{k: v.contiguous().clone() for k, v in w.items() \
         if hasattr(v, 'contiguous')}}, '{stem}.safetensors')\" (a textual inversion of A1111: \
         save w['string_to_param'] instead)"
    )
}

/// The largest magnitude in little-endian floating-point data; NaN or infinity where there is one.
fn largest_magnitude(dtype: DType, data: &[u8]) -> f64 {
    // Without its sign bit, a float's bits order as its magnitude does, and those of NaN and infinity come last.
    const CHUNK: usize = 1 << 20;
    macro_rules! largest_bits {
        ($bits:ty) => {
            data.par_chunks(CHUNK)
                .map(|chunk| {
                    let (values, _) = chunk.as_chunks::<{ size_of::<$bits>() }>();
                    let magnitude = |bytes: &[u8; size_of::<$bits>()]| {
                        <$bits>::from_le_bytes(*bytes) & (<$bits>::MAX >> 1)
                    };
                    values.iter().map(magnitude).max().unwrap_or(0)
                })
                .max()
                .unwrap_or(0)
        };
    }
    match dtype {
        DType::F16 => half::f16::from_bits(largest_bits!(u16)).to_f64(),
        DType::BF16 => half::bf16::from_bits(largest_bits!(u16)).to_f64(),
        DType::F32 => f64::from(f32::from_bits(largest_bits!(u32))),
        _ => f64::from_bits(largest_bits!(u64)),
    }
}
