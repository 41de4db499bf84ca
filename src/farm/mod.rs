//! Clips that were split ([`mod@crate::animate::split`]), handed to schedulers.

pub mod openjd;
pub mod plan;
pub mod slurm;
