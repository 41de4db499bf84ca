//! The program, and what it leaves in a folder.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A file of the repository.
pub fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path).to_str().unwrap().to_owned()
}

/// The program, told of nothing by its surroundings.
pub fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dreamtuner"));
    command.env_remove("RUST_LOG").env_remove("RUST_BACKTRACE").stdin(Stdio::null());
    command
}

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` for a process that was killed.
    pub code: Option<i32>,
    pub signal: Option<i32>,
    pub stderr: String,
}

pub fn run(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    Run { code: output.status.code(), signal: output.status.signal(), stderr }
}

impl Run {
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}", self.stderr);
        self
    }

    /// Asserts that the program ended with one clear error that says each of the pieces.
    #[track_caller]
    pub fn failed(self, code: i32, pieces: &[&str]) -> Self {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        assert_eq!(self.errors(), 1, "one error is expected: {}", self.stderr);
        for piece in pieces {
            assert!(self.stderr.contains(piece), "{piece:?} is missing in: {}", self.stderr);
        }
        self
    }

    pub fn errors(&self) -> usize {
        self.stderr.lines().filter(|line| line.starts_with("error: ")).count()
    }
}

/// All files below a folder with their bytes' hashes.
pub type Files = BTreeMap<PathBuf, blake3::Hash>;

pub fn files(folder: &Path) -> Files {
    fn walk(root: &Path, folder: &Path, files: &mut Files) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(root, &path, files);
            } else {
                let name = path.strip_prefix(root).unwrap().to_path_buf();
                files.insert(name, blake3::hash(&std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    let mut all = Files::new();
    walk(folder, folder, &mut all);
    all
}

/// The first frames of a dance that is part of the repository, as a file.
pub fn dance(folder: &Path, frames: usize) -> String {
    let text = std::fs::read_to_string(repository("poses/walk.json")).unwrap();
    let poses: Vec<serde_json::Value> = serde_json::from_str(&text).unwrap();
    let path = folder.join("dance.json");
    std::fs::write(&path, serde_json::to_vec(&poses[..frames]).unwrap()).unwrap();
    path.to_str().unwrap().to_owned()
}
