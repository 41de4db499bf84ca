//! The DreamBooth benchmark (Ruiz et al. 2023, arXiv 2208.12242): subjects with real pictures, and prompts for them. What is drawn
//! of one picture is measured against all of the subject's (CLIP-I, DINO) and against the prompt (CLIP-T).

mod benchmark;
mod data_set;
mod encoders;
mod report;

pub use benchmark::{SubjectBenchmark, SubjectBenchmarkEvent};
pub use data_set::{DataSet, Prompt, Subject};
pub use encoders::Encoders;
pub use report::{SubjectReport, SubjectScores};
