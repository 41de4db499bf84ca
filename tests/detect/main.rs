//! Finding people in pictures and videos.

mod footage;
mod foreground;
mod movenet;
mod puppets;
mod tracker;
mod whole_body;
