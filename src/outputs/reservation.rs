//! The outputs of one command: looked at before it begins, kept from others while it runs, and known again if it is cut off.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::disk;
use super::folder::{Earlier, write_folder};
use super::names::{Input, folder_of, full_name, is_hidden, there_already};
use super::part::{Lock, PartFile, remove_parts};
use super::pattern::{Pattern, names_folder};
use super::pictures::{Pictures, Replaced};
use super::png;
use super::record::{Record, Tidying};
use super::whole::write_json;
use crate::error::{Error, Result};

/// The file by which the program knows a folder that it works on again.
const MARK: &str = ".dreamtuner-folder.json";

/// Something that a command is to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// A file.
    File(PathBuf),
    /// A file among many, which is begun only when it is written.
    OneOfMany(PathBuf),
    /// Numbered pictures: a folder, or a pattern such as `%04d.png`.
    Pictures(PathBuf),
    /// A new folder with files of several kinds.
    Folder(PathBuf),
    /// A folder that is worked on again and again: one that the program has made, or an empty one.
    Kept(PathBuf),
}

impl Wanted {
    /// A clip: one file, or numbered pictures, as its name says.
    pub fn clip(path: &Path) -> Self {
        let is_pattern = path.file_name().is_some_and(|name| name.as_encoded_bytes().contains(&b'%'));
        match names_folder(path) || path.is_dir() || is_pattern {
            true => Self::Pictures(path.to_path_buf()),
            false => Self::File(path.to_path_buf()),
        }
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        match self {
            Self::File(path) | Self::OneOfMany(path) | Self::Pictures(path) => path,
            Self::Folder(path) | Self::Kept(path) => path,
        }
    }
}

/// A clip that may be written.
#[derive(Debug)]
pub enum Output {
    /// One file.
    File(PartFile),
    /// Numbered pictures.
    Pictures(Pictures),
}

impl Output {
    /// A clip that replaces what is there under its name.
    ///
    /// # Errors
    /// [`Error::Output`] for a name that cannot be written, or while another process writes it.
    pub fn replacing(path: &Path) -> Result<Self> {
        match Wanted::clip(path) {
            Wanted::File(path) => Ok(Self::File(PartFile::replacing(&path)?)),
            _ => Ok(Self::Pictures(Pictures::new(Pattern::parse(path)?, Replaced::Anything, None))),
        }
    }
}

/// How far an earlier run of the same command came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// There was none, or it published nothing.
    Nothing,
    /// It published some of the outputs, and may go on.
    Unfinished,
    /// All outputs are in place; only tidying up is left.
    Complete,
}

/// The outputs of one command. No other process writes them while this is there.
///
/// Beside the first output lies a hidden record of what was published, as long as the command has not come to its end: a command
/// that was killed may replace that, and nothing else, when it is given again. [`finish`](Self::finish) ends it.
#[derive(Debug)]
pub struct Reservation {
    wanted: Vec<(Wanted, PathBuf)>,
    overwrite: bool,
    /// Whether the record is about the same outputs, made in the same way.
    resumed: bool,
    begun: Vec<PartFile>,
    locks: Vec<Lock>,
    record: Arc<Mutex<Record>>,
    finished: bool,
}

impl Reservation {
    /// Looks at the names of all outputs, of which the first is the main one, and locks them. `inputs` are files and folders that
    /// are read. With `overwrite`, what has the outputs' names may be replaced.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that is missing or cannot be written to, a name that stands there twice, that is there
    /// already, or that an input has, and while another process writes one of them.
    pub fn new(wanted: Vec<Wanted>, inputs: &[&Path], overwrite: bool) -> Result<Self> {
        let inputs: BTreeSet<&Path> = inputs.iter().copied().collect();
        let inputs: Vec<Input> = inputs.into_iter().map(Input::new).collect();
        let mut names: Vec<(Wanted, PathBuf)> = Vec::with_capacity(wanted.len());
        let mut known = BTreeSet::new();
        for output in wanted {
            let path = output.path();
            if matches!(output, Wanted::Folder(_) | Wanted::Kept(_)) {
                let parents = folder_of(path);
                disk::create_folders(parents).map_err(|error| Error::io(parents, error))?;
            }
            let full = full_name(path)?;
            if !known.insert(full.clone()) {
                return Err(Error::output(path, "is named for two outputs"));
            }
            if let Some(input) = inputs.iter().find(|input| input.is(&full)) {
                let problem = format!("would replace an input, {}", input.path.display());
                return Err(Error::output(path, problem));
            }
            if matches!(output, Wanted::File(_) | Wanted::OneOfMany(_)) && path.is_dir() {
                return Err(Error::output(path, "is a folder"));
            }
            names.push((output, full));
        }
        let Some((main, _)) = names.first() else {
            return Err(Error::output("", "names no output"));
        };
        let record = Record::open(main.path())?;
        let mut reservation = Self {
            wanted: names,
            overwrite,
            resumed: record.key().is_some(),
            begun: Vec::new(),
            locks: Vec::new(),
            record: Arc::new(Mutex::new(record)),
            finished: false,
        };
        // What was published by a run with other settings is refused once these are known.
        reservation.refuse_others()?;
        reservation.lock()?;
        Ok(reservation)
    }

    /// As [`new`](Self::new), and [`resume`](Self::resume) at once.
    ///
    /// # Errors
    /// Those of both.
    pub fn begin(wanted: Vec<Wanted>, inputs: &[&Path], overwrite: bool, key: &str) -> Result<Self> {
        let mut reservation = Self::new(wanted, inputs, overwrite)?;
        reservation.resume(key)?;
        Ok(reservation)
    }

    fn lock(&mut self) -> Result<()> {
        for (place, (output, _)) in self.wanted.iter().enumerate() {
            match output {
                Wanted::File(path) => {
                    self.begun.push(PartFile::begin(path, false, Some(self.record.clone()))?);
                }
                // The record is the lock of the first output, and files among many are locked while they are written.
                Wanted::OneOfMany(_) => {}
                _ if place == 0 => {}
                other => self.locks.push(Lock::take(other.path())?),
            }
        }
        Ok(())
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What an earlier run has left to do that had put all outputs in place, and was cut off while it tidied up.
    pub fn left_to_tidy(&self) -> Option<Tidying> {
        self.record().complete()
    }

    /// Decides what of an earlier run counts: all if `key`, which says what decides the outputs, is the same, and nothing
    /// otherwise.
    ///
    /// # Errors
    /// [`Error::Output`] for an output that is there already, if it does not count.
    pub fn resume(&mut self, key: &str) -> Result<Before> {
        let before = {
            let record = self.record();
            match (record.key() == Some(key), record.complete().is_some()) {
                (true, true) => Before::Complete,
                (true, false) if !record.is_empty() => Before::Unfinished,
                _ => Before::Nothing,
            }
        };
        self.resumed = before != Before::Nothing;
        self.refuse_others()?;
        if !self.resumed {
            self.record().begin(key)?;
        }
        let is_there = |(wanted, full): &(Wanted, PathBuf)| there(wanted, full).is_some();
        if before == Before::Complete && !self.wanted.iter().all(is_there) {
            // Somebody has removed one since: the work begins again.
            self.record().forget_complete()?;
            return Ok(Before::Unfinished);
        }
        Ok(before)
    }

    /// Refuses what is there and may not be replaced.
    fn refuse_others(&self) -> Result<()> {
        let other = self.wanted.iter().find_map(|(wanted, full)| self.other(wanted, full));
        other.map_or(Ok(()), Err)
    }

    fn other(&self, wanted: &Wanted, full: &Path) -> Option<Error> {
        let record = self.record();
        match wanted {
            _ if self.overwrite => None,
            Wanted::File(path) | Wanted::OneOfMany(path) => {
                let own = self.resumed && record.published(full);
                (!own && full.symlink_metadata().is_ok()).then(|| there_already(path))
            }
            Wanted::Pictures(path) => {
                let pattern = Pattern::parse(path).ok()?;
                let resumed = self.resumed && record.began(full).is_some();
                let mut there = pattern.there().into_iter().map(|(_, path)| path);
                there.find(|path| !(resumed && png::is_own(path))).map(|path| there_already(&path))
            }
            Wanted::Folder(path) => {
                let resumed = self.resumed && record.began(full).is_some();
                (!resumed && there(wanted, full).is_some()).then(|| there_already(path))
            }
            Wanted::Kept(path) => {
                let others = !path.join(MARK).is_file() && there(wanted, full).is_some();
                let problem = "holds files that are not of this program; --overwrite writes among them";
                others.then(|| Error::output(path, problem))
            }
        }
    }

    fn wanted(&self, path: &Path) -> Result<&(Wanted, PathBuf)> {
        let found = self.wanted.iter().find(|(wanted, _)| wanted.path() == path);
        found.ok_or_else(|| Error::output(path, "was not said to be written"))
    }

    /// The file `path`, to be written.
    ///
    /// # Errors
    /// [`Error::Output`] for a file that is not among the outputs, or while another process writes it.
    pub fn file(&mut self, path: &Path) -> Result<PartFile> {
        let (_, full) = self.wanted(path)?;
        let replaces = self.overwrite || self.resumed && self.record().published(full);
        let begun = self.begun.iter().position(|part| part.target() == path);
        let mut part = match begun {
            Some(place) => self.begun.swap_remove(place),
            None => PartFile::begin(path, replaces, Some(self.record.clone()))?,
        };
        part.set_replaces(replaces);
        Ok(part)
    }

    /// The clip `path`, to be written.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn clip(&mut self, path: &Path) -> Result<Output> {
        match self.wanted(path)? {
            (Wanted::Pictures(_), full) => {
                let replaced = match (self.overwrite, self.resumed && self.record().began(full).is_some()) {
                    (true, _) => Replaced::Anything,
                    (_, true) => Replaced::Own,
                    _ => Replaced::Nothing,
                };
                let begins = (self.record.clone(), full.clone());
                Ok(Output::Pictures(Pictures::new(Pattern::parse(path)?, replaced, Some(begins))))
            }
            _ => self.file(path).map(Output::File),
        }
    }

    /// Makes the folder `path`, into which files are about to be written; what an earlier run has written there. What a killed
    /// process has left incomplete in one that is worked on again is removed.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] for a folder that is not among the outputs.
    pub fn begin_folder(&mut self, path: &Path) -> Result<Earlier> {
        let (wanted, full) = self.wanted(path)?;
        let began = if self.resumed { self.record().began(full) } else { None };
        if matches!(wanted, Wanted::Folder(_)) && began.is_none() {
            self.record().note_folder(full)?;
        }
        disk::create_folder(path).map_err(|error| Error::io(path, error))?;
        if matches!(wanted, Wanted::Folder(_)) {
            return Ok(Earlier { began });
        }
        let mark = path.join(MARK);
        if !mark.is_file() {
            write_json(&mark, &serde_json::json!({"dreamtuner": env!("CARGO_PKG_VERSION")}))?;
        }
        remove_parts(path)?;
        Ok(Earlier { began })
    }

    /// Writes all of the new folder `path`: files with their names and bytes. It is whole or not there.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] for a folder that is not among the outputs, or holds files; those of `files`.
    pub fn write_folder(
        &mut self,
        path: &Path,
        files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>,
    ) -> Result<()> {
        let (wanted, full) = self.wanted(path)?;
        if there(wanted, full).is_some() {
            // An earlier run was cut off after it had given the folder its name.
            let done = self.resumed && self.record().began(full).is_some();
            let problem = "this folder already holds files; an empty or new one is needed";
            return if done { Ok(()) } else { Err(Error::output(path, problem)) };
        }
        self.record().note_folder(full)?;
        write_folder(path, files)
    }

    /// Whether the earlier run of the same command has published the file `path`, and it is still there.
    pub fn has_published(&self, path: &Path) -> bool {
        self.resumed && full_name(path).is_ok_and(|full| self.record().published(&full))
    }

    /// Says that all outputs are in place and only tidying up is left.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn complete(&mut self, tidying: Tidying) -> Result<()> {
        self.record().note_complete(tidying)
    }

    /// Ends the command: nothing but its outputs is left.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(mut self) -> Result<()> {
        self.begun.clear();
        self.locks.drain(..).try_for_each(Lock::release)?;
        self.finished = true;
        self.remove_record()
    }

    fn remove_record(&self) -> Result<()> {
        self.record().remove()
    }
}

/// A record of nothing tells nothing.
impl Drop for Reservation {
    fn drop(&mut self) {
        if !self.finished && self.record().is_empty() {
            let _ = self.remove_record();
        }
    }
}

/// What is there of an output.
fn there(wanted: &Wanted, full: &Path) -> Option<PathBuf> {
    match wanted {
        Wanted::File(_) | Wanted::OneOfMany(_) => full.symlink_metadata().is_ok().then(|| full.to_path_buf()),
        Wanted::Pictures(path) => Pattern::parse(path).ok()?.there().pop().map(|(_, path)| path),
        Wanted::Folder(path) | Wanted::Kept(path) => match path.read_dir() {
            // What the program itself has left there does not count.
            Ok(entries) => entries.flatten().map(|entry| entry.path()).find(|path| !is_hidden(path)),
            Err(_) => path.symlink_metadata().is_ok().then(|| path.clone()),
        },
    }
}

/// What decides a command's outputs, for [`Reservation::resume`]: a hash of it, and of the program's version.
pub fn key_of(what: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes()).update(what.as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}
