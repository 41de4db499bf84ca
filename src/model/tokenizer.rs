//! stub
/// chunk
pub struct Chunk {
    /// t
    pub tokens: Vec<u32>,
    /// w
    pub weights: Vec<f32>,
    /// e
    pub end: usize,
}
