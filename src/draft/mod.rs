//! Drafts: a picture that dances by geometry alone. Its figure is cut into layers and bent to each pose (`dreamtuner_warp`); no
//! network is asked but those that find joints and foreground.

mod background;
mod follow;
mod footage;
mod frames;
mod job;
mod layout;
mod run;

pub use background::Background;
pub use frames::{Danced, FrameDrafts};
pub use job::{DraftEvent, DraftJob};
pub(crate) use layout::{Layout, with_room};
pub use run::run;
