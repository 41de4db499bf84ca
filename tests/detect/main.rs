//! Finding people in pictures and videos.

mod drawings;
mod footage;
mod foreground;
mod movenet;
mod puppets;
mod tracker;
mod u2net;
#[cfg(feature = "onnx")]
mod whole_body;
