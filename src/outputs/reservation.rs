//! The outputs of one command: looked at before it begins, kept from others while it runs, and known again if it is cut off.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::folder::{Earlier, MadeFolders, nanoseconds, write_folder};
use super::names::{Input, full_name, is_read_from_folders, there_already};
use super::part::{Lock, PartFile, Replaced, remove_parts};
use super::pattern::Pattern;
use super::pictures::Pictures;
use super::record::{Record, Tidying};
use super::wanted::{Named, Output, Wanted};
use super::whole::write_json;
use crate::error::{Error, Result};

/// The file by which the program knows a folder that it works on again.
const MARK: &str = ".dreamtuner-folder.json";

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
/// Beside the first output lies a hidden record of what was published, as long as the command has not come to its end.
/// A command that was killed may replace what was published, and nothing else, when it is given again.
/// [`finish`](Self::finish) ends it.
#[derive(Debug)]
pub struct Reservation {
    outputs: Vec<Named>,
    overwrite: bool,
    /// Whether the record is about the same outputs, made in the same way.
    resumed: bool,
    begun: Vec<PartFile>,
    locks: Vec<Lock>,
    record: Arc<Mutex<Record>>,
    finished: bool,
    made: MadeFolders,
}

impl Reservation {
    /// Looks at the names of all outputs, of which the first is the main one, and locks them. `inputs` are files and folders that
    /// are read. With `overwrite`, what has the outputs' names may be replaced.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that is missing or cannot be written to, and for a name that stands there twice,
    /// that is there already, or that an input has. The same while another process writes one of the outputs.
    pub fn new(wanted: Vec<Wanted>, inputs: &[&Path], overwrite: bool) -> Result<Self> {
        let inputs: BTreeSet<&Path> = inputs.iter().copied().collect();
        let inputs: Vec<Input> = inputs.into_iter().map(Input::new).collect();
        let mut wanted = wanted.into_iter();
        let main = wanted.next().ok_or_else(|| Error::output("", "names no output"))?;
        let mut made = MadeFolders::default();
        let main = Named::new(main, &mut made)?;
        main.check_inputs(&inputs)?;
        let record = Record::open(main.wanted.path(), &main.anchor())?;
        let mut reservation = Self {
            outputs: vec![main],
            overwrite,
            resumed: record.key().is_some(),
            begun: Vec::new(),
            locks: Vec::new(),
            record: Arc::new(Mutex::new(record)),
            finished: false,
            made,
        };
        // Folders of other outputs are made by whoever has the record: another process that is refused removes what it has made.
        for output in wanted {
            reservation.add(output, &inputs)?;
        }
        // What was published by a run with other settings is refused once these are known.
        reservation.refuse_others()?;
        reservation.lock()?;
        Ok(reservation)
    }

    /// As [`new`](Self::new), and [`resume`](Self::resume) at once, with a key of the `settings` and of what the inputs are.
    ///
    /// # Errors
    /// Those of both.
    pub fn begin(wanted: Vec<Wanted>, inputs: &[&Path], overwrite: bool, settings: &str) -> Result<Self> {
        let mut reservation = Self::new(wanted, inputs, overwrite)?;
        let inputs: String = inputs.iter().map(|input| facts_of(input)).collect();
        reservation.resume(&key_of(&format!("{settings} {inputs}")))?;
        Ok(reservation)
    }

    fn add(&mut self, output: Wanted, inputs: &[Input]) -> Result<()> {
        let output = Named::new(output, &mut self.made)?;
        if self.outputs.iter().any(|other| other.full == output.full) {
            return Err(Error::output(output.wanted.path(), "is named for two outputs"));
        }
        output.check_inputs(inputs)?;
        self.outputs.push(output);
        Ok(())
    }

    fn lock(&mut self) -> Result<()> {
        for output in &self.outputs {
            match &output.wanted {
                Wanted::File(path) => {
                    let record = Some(self.record.clone());
                    self.begun.push(PartFile::begin(path, Replaced::Nothing, record)?);
                }
                // Files among many are locked while they are written.
                Wanted::OneOfMany(_) => {}
                other => self.locks.push(Lock::take(other.path(), &output.anchor())?),
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
        if before == Before::Complete && self.outputs.iter().any(|output| output.there().is_empty()) {
            // Somebody has removed one since: the work begins again.
            self.record().forget_complete()?;
            return Ok(Before::Unfinished);
        }
        Ok(before)
    }

    /// Refuses what is there and may not be replaced.
    fn refuse_others(&self) -> Result<()> {
        let other = self.outputs.iter().find_map(|output| self.other(output));
        other.map_or(Ok(()), Err)
    }

    fn other(&self, output: &Named) -> Option<Error> {
        let record = self.record();
        let own = |path: &Path| self.resumed && record.published(path);
        let mut there = output.there().into_iter();
        match &output.wanted {
            Wanted::Folder(path) => {
                let problem = "this folder already holds files; an empty or new one is needed";
                (there.next().is_some() && !own(&output.full)).then(|| Error::output(path, problem))
            }
            _ if self.overwrite => None,
            Wanted::File(path) | Wanted::OneOfMany(path) => {
                there.find(|path| !own(path)).map(|_| there_already(path))
            }
            Wanted::Pictures(_) => {
                let other = there.find(|path| !full_name(path).is_ok_and(|full| own(&full)));
                other.map(|other| there_already(&other))
            }
            Wanted::FilledFolder(path) => {
                let begun = self.resumed && record.began(&output.full).is_some();
                (!begun && there.next().is_some()).then(|| there_already(path))
            }
            Wanted::Kept(path) => {
                let problem = "holds files that are not of this program; --overwrite writes among them";
                let is_other = there.next().is_some() && !path.join(MARK).is_file();
                is_other.then(|| Error::output(path, problem))
            }
        }
    }

    fn output(&self, path: &Path) -> Result<&Named> {
        let found = self.outputs.iter().find(|output| output.wanted.path() == path);
        found.ok_or_else(|| Error::output(path, "was not said to be written"))
    }

    /// What may be replaced.
    fn replaced(&self) -> Replaced {
        match (self.overwrite, self.resumed) {
            (true, _) => Replaced::Anything,
            (false, true) => Replaced::Published,
            (false, false) => Replaced::Nothing,
        }
    }

    /// The file `path`, to be written.
    ///
    /// # Errors
    /// [`Error::Output`] for a file that is not among the outputs, or while another process writes it.
    pub fn file(&mut self, path: &Path) -> Result<PartFile> {
        self.output(path)?;
        let begun = self.begun.iter().position(|part| part.target() == path);
        let mut part = match begun {
            Some(place) => self.begun.swap_remove(place),
            None => PartFile::begin(path, Replaced::Nothing, Some(self.record.clone()))?,
        };
        part.set_replaced(self.replaced());
        Ok(part)
    }

    /// The clip `path`, to be written.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn clip(&mut self, path: &Path) -> Result<Output> {
        match self.output(path)?.wanted {
            Wanted::Pictures(_) => {
                let record = Some(self.record.clone());
                Ok(Output::Pictures(Pictures::new(Pattern::parse(path)?, self.replaced(), record)))
            }
            _ => self.file(path).map(Output::File),
        }
    }

    /// Begins to fill the folder `path`; what an earlier run has written there. What killed processes have left incomplete in it is
    /// removed.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] for a folder that is not among the outputs.
    pub fn begin_folder(&mut self, path: &Path) -> Result<Earlier> {
        let Named { wanted, full } = self.output(path)?;
        let began = if self.resumed { self.record().began(full) } else { None };
        if matches!(wanted, Wanted::FilledFolder(_)) {
            if began.is_none() {
                self.record().note_folder(full)?;
            }
        } else {
            let mark = path.join(MARK);
            if !mark.is_file() {
                write_json(&mark, &serde_json::json!({"dreamtuner": env!("CARGO_PKG_VERSION")}))?;
            }
        }
        remove_parts(path)?;
        Ok(Earlier { began })
    }

    /// Writes all of the new folder `path`: files with their names and bytes. It is whole or not there.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Output`] for a folder that is not among the outputs; those of `files`.
    pub fn write_folder(
        &mut self,
        path: &Path,
        files: impl IntoIterator<Item = Result<(String, Vec<u8>)>>,
    ) -> Result<()> {
        let full = &self.output(path)?.full;
        // An earlier run may have been cut off after it had given the folder its name.
        if self.resumed && self.record().published(full) {
            return Ok(());
        }
        write_folder(path, files, |facts| self.record().note(full, facts))
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
        self.made.keep();
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

/// By what a file, or the files in a folder and the folders in it, would be known to have changed: names, lengths, times.
fn facts_of(path: &Path) -> String {
    fn walk(path: &Path, depth: usize, facts: &mut String) {
        let Ok(entries) = path.read_dir() else {
            let found = path.metadata().ok();
            let modified = found.as_ref().and_then(|found| found.modified().ok()).map_or(0, nanoseconds);
            let _ = write!(facts, "{}:{}:{modified} ", path.display(), found.map_or(0, |found| found.len()));
            return;
        };
        let mut entries: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        entries.retain(|entry| depth > 0 && (entry.is_dir() || is_read_from_folders(entry)));
        entries.sort();
        entries.iter().for_each(|entry| walk(entry, depth - 1, facts));
    }
    let mut facts = String::new();
    walk(&path.canonicalize().unwrap_or_else(|_| path.to_path_buf()), 2, &mut facts);
    facts
}

/// What decides a command's outputs, for [`Reservation::resume`]: a hash of it, and of the program's version.
pub fn key_of(what: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(env!("CARGO_PKG_VERSION").as_bytes()).update(what.as_bytes());
    hasher.finalize().to_hex()[..16].to_owned()
}
