//! Folders of pictures for training.
//!
//! The layout is Hugging Face's `imagefolder` with several pictures a line: `metadata.jsonl` names, for each picture,
//! the picture itself, its mask, its control image, the captions and the joints. Each identity has a reference picture
//! (variant 0: standing, from the front, on white) and others in dance poses. Each dance pose has three moments, as
//! neighbouring frames of a clip (1 to 3, 4 to 6, …). Where drafts are asked for, each of these has one that a rig of the reference
//! gives, joints mistaken as in strangers' drawings, and a map of how sure it is.

mod drawings;
mod spoiled;
mod write;

pub use write::{DatasetSettings, write_dataset};
