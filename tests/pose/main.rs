//! Poses through the public interface: drawing, files, people, gaps, recognition of skeleton videos.

mod dances;
mod draw;
mod figures;
mod json;
mod mend;
mod properties;
mod retarget;
mod sequence;
mod skeleton_video;
