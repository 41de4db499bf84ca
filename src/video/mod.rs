//! Video files in and out, through FFmpeg.
//!
//! ```text
//! file ─► demux ─► decode ─► timeline (trim, resample) ─► pixels ─► Frame      open_frames, VideoReader
//! Frame ─► pixels ─► encode ─► mux ─┬─► temporary file ─► check ─► rename      VideoWriter
//!        sound of the source ───────┘
//! ```
//! Times are seconds from the first frame of the source. Nothing here holds more than a few frames at once.

mod audio;
mod codec;
mod color_tags;
mod cutoff;
mod decode;
mod demux;
mod encode;
mod facts;
mod gif;
mod graph;
mod images;
mod mux;
mod pixels;
mod png;
mod resample;
mod timeline;

pub use audio::AudioSource;
pub use decode::{DecodeSettings, FrameReader, VideoReader, open_frames, open_frames_for_search};
pub use encode::{Container, EncodeSettings, VideoWriter, Written};
pub use facts::rational_rate;
pub use images::ImageReader;
pub use images::pictures_in;
