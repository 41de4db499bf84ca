//! Finding people in pictures and videos.

mod movenet;
mod puppets;
mod tracker;
