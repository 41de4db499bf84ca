//! Video in and out, with clips made by the `ffmpeg` command and results checked by `ffprobe`.
#![cfg(feature = "video")]

mod bad_input;
mod inputs;
mod outputs;
mod sound;
mod tools;
