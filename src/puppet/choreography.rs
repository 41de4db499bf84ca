//! Dances: key poses, eased and set to a beat.
