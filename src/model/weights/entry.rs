//! The place of a tensor.

/// Where one tensor lies, and how it is to be read.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Index into the part's files.
    pub file: usize,
    /// Its name in that file.
    pub key: String,
    /// First row and number of rows, where it is only a part of the stored tensor.
    pub rows: Option<(usize, usize)>,
    /// Its shape here; the stored one may have further dimensions of size 1.
    pub shape: Vec<usize>,
}
