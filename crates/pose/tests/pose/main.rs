//! Poses through the public interface: drawing, people, gaps, recognition of skeleton videos.

mod draw;
mod figures;
mod sequence;
mod skeleton_video;
