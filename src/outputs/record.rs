//! The record of a command that has not come to its end: which outputs it has published so far.
//!
//! A hidden file beside the first output, one JSON object a line. The first line says the program and what decides the
//! outputs (the key). Then each output has a line, written before the output takes its name. It holds the length and
//! the time of the last change, by which the output is known again. A last line may say that the outputs are complete
//! and only tidying up is left. The file is also the lock of the outputs: as long as a command runs, no other writes
//! them.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::disk::{self, LockedFile};
use super::folder::nanoseconds;
use super::names::{folder_of, hidden};
use super::part::locked;
use crate::error::{Error, Result};

/// The record of one command's outputs, open and locked.
#[derive(Debug)]
pub(super) struct Record {
    file: LockedFile,
    /// What decides the outputs that the lines are about.
    key: Option<String>,
    entries: BTreeMap<String, Entry>,
    complete: Option<Tidying>,
    /// Where the last whole line ends.
    length: u64,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(untagged)]
enum Line {
    Header { dreamtuner: String, key: String },
    Entry(Entry),
    Complete { complete: Tidying },
}

/// What is left to do once all outputs are in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tidying {
    /// Whether the frames of a render are kept.
    pub keeps_frames: bool,
}

/// A published output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    output: String,
    bytes: u64,
    /// When it was last changed, in nanoseconds since 1970.
    modified: u64,
}

impl Entry {
    fn of(output: &Path, facts: &Metadata) -> Self {
        Self {
            output: output.to_string_lossy().into_owned(),
            bytes: facts.len(),
            modified: facts.modified().map_or(0, nanoseconds),
        }
    }
}

impl Record {
    /// Opens the record of `output`, beside `anchor`, locks it, and reads what an earlier run has left in it.
    ///
    /// # Errors
    /// [`Error::Output`] while another process writes these outputs, or where nothing can be written.
    pub fn open(output: &Path, anchor: &Path) -> Result<Self> {
        let path = hidden(anchor, ".record")?;
        let mut file = locked(output, &path)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(|error| Error::io(&path, error))?;
        let mut record = Self { file, key: None, entries: BTreeMap::new(), complete: None, length: 0 };
        // A line that was cut off by a kill, and all after it, does not count.
        for line in text.split_inclusive(|&byte| byte == b'\n').take_while(|line| line.ends_with(b"\n")) {
            let Ok(line_read) = serde_json::from_slice(line) else { break };
            match line_read {
                Line::Header { key, .. } if record.key.is_none() => record.key = Some(key),
                Line::Entry(entry) if record.key.is_some() => {
                    record.entries.insert(entry.output.clone(), entry);
                }
                Line::Complete { complete } if record.key.is_some() => {
                    // Not counted: what is noted next takes its place.
                    record.complete = Some(complete);
                    break;
                }
                _ => break,
            }
            record.length += line.len() as u64;
        }
        Ok(record)
    }

    /// What decides the outputs that are spoken of, if any are.
    pub fn key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    /// What is left to do, where all outputs are in place.
    pub fn complete(&self) -> Option<Tidying> {
        self.complete
    }

    /// Whether the file that has the output's full name is the one that was published.
    pub fn published(&self, output: &Path) -> bool {
        let facts = std::fs::symlink_metadata(output);
        facts.is_ok_and(|facts| {
            let found = Entry::of(output, &facts);
            self.entries.get(&found.output) == Some(&found)
        })
    }

    /// Whether any output was published.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// When the folder with the full name `folder` was begun, in nanoseconds since 1970, if it was.
    pub fn began(&self, folder: &Path) -> Option<u64> {
        self.entries.get(&*folder.to_string_lossy()).map(|entry| entry.modified)
    }

    /// Begins again, about outputs that `key` decides.
    pub fn begin(&mut self, key: &str) -> Result<()> {
        (self.key, self.complete, self.length) = (Some(key.to_owned()), None, 0);
        self.entries.clear();
        let dreamtuner = env!("CARGO_PKG_VERSION").to_owned();
        self.append(&Line::Header { dreamtuner, key: key.to_owned() })?;
        disk::sync_folder(folder_of(self.file.path())).map_err(|error| Error::io(self.file.path(), error))
    }

    /// Notes a file that is about to take the full name `output`.
    pub fn note(&mut self, output: &Path, facts: &Metadata) -> Result<()> {
        self.add(Entry::of(output, facts))
    }

    /// Notes a folder in which files are about to be written. Its time is that of the record itself: no file that is written later
    /// was changed before.
    pub fn note_folder(&mut self, folder: &Path) -> Result<()> {
        let facts = self.file.metadata().map_err(|error| Error::io(self.file.path(), error))?;
        self.add(Entry::of(folder, &facts))
    }

    fn add(&mut self, entry: Entry) -> Result<()> {
        self.append(&Line::Entry(entry.clone()))?;
        self.entries.insert(entry.output.clone(), entry);
        Ok(())
    }

    /// Notes that all outputs are in place.
    pub fn note_complete(&mut self, tidying: Tidying) -> Result<()> {
        self.append(&Line::Complete { complete: tidying })?;
        self.complete = Some(tidying);
        Ok(())
    }

    /// Takes back that all outputs are in place.
    pub fn forget_complete(&mut self) -> Result<()> {
        self.complete = None;
        let shortened = self.file.truncate(self.length).and_then(|()| self.file.sync());
        shortened.map_err(|error| Error::io(self.file.path(), error))
    }

    fn append(&mut self, line: &Line) -> Result<()> {
        let mut text =
            serde_json::to_vec(line).map_err(|error| Error::output(self.file.path(), error.to_string()))?;
        text.push(b'\n');
        let file = &mut self.file;
        let written = file
            .truncate(self.length)
            .and_then(|()| file.seek(SeekFrom::Start(self.length)))
            .and_then(|_| file.write_all(&text))
            .and_then(|()| file.sync());
        written.map_err(|error| Error::io(self.file.path(), error))?;
        self.length += text.len() as u64;
        Ok(())
    }

    /// Removes the record.
    pub fn remove(&self) -> Result<()> {
        disk::remove_file(self.file.path()).map_err(|error| Error::io(self.file.path(), error))
    }
}
