//! What a render leaves behind: the clip, and if asked for a side-by-side clip and a contact sheet.

use std::path::{Path, PathBuf};

use image::RgbImage;

use crate::error::{Error, Result};
use crate::frame::{Frame, MAX_SIDE};
use crate::outputs::{PartFile, Reservation};
use crate::picture::{SheetBuilder, side_by_side};
use crate::render::clip::FinishedFrame;
use crate::video::{EncodeSettings, VideoWriter};

/// Where outputs go.
#[derive(Debug, Clone)]
pub struct OutputFiles {
    /// The clip.
    pub clip: PathBuf,
    /// A clip of reference, pose and result side by side.
    pub compare: Option<PathBuf>,
    /// A picture of frames spread over the clip.
    pub sheet: Option<PathBuf>,
}

impl OutputFiles {
    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Path> {
        [Some(&self.clip), self.compare.as_ref(), self.sheet.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
    }
}

/// Smallest height of the side-by-side clip, so that small models can be looked at.
const COMPARE_HEIGHT: u32 = 256;
/// Smallest width of one frame on a contact sheet.
const SHEET_CELL_WIDTH: u32 = 160;

/// All outputs of one render, written at the same time.
pub struct Outputs {
    files: OutputFiles,
    clip: VideoWriter,
    compare: Option<(VideoWriter, RgbImage)>,
    sheet: Option<(PartFile, SheetBuilder)>,
}

impl Outputs {
    /// Begins every output. A file appears under its final name with [`Self::finish`];
    /// the pictures of a folder appear one by one, each of them whole.
    ///
    /// # Errors
    /// Names and settings that no clip can have; [`Error::Output`], [`Error::Io`] where nothing can be written.
    pub fn create(
        files: &OutputFiles,
        reserved: &mut Reservation,
        reference: &RgbImage,
        frames: usize,
        settings: &EncodeSettings,
    ) -> Result<Self> {
        let (width, height) = reference.dimensions();
        let clip = VideoWriter::begin(reserved.clip(&files.clip)?, width, height, settings)?;
        let begin_compare = |path: &PathBuf| {
            let row = compared(reference, None, reference);
            let writer = VideoWriter::begin(reserved.clip(path)?, row.width(), row.height(), settings)?;
            Ok::<_, Error>((writer, reference.clone()))
        };
        let compare = files.compare.as_ref().map(begin_compare).transpose()?;
        let begin_sheet = |path: &PathBuf| {
            let cell_width = width.clamp(SHEET_CELL_WIDTH, 2 * SHEET_CELL_WIDTH);
            Ok::<_, Error>((reserved.file(path)?, SheetBuilder::of_clip(frames, cell_width)))
        };
        let sheet = files.sheet.as_ref().map(begin_sheet).transpose()?;
        Ok(Self { files: files.clone(), clip, compare, sheet })
    }

    /// Adds a frame to each output.
    ///
    /// # Errors
    /// A full disk, among others.
    pub fn write(&mut self, finished: &FinishedFrame) -> Result<()> {
        self.clip.write(&finished.frame)?;
        if let Some((writer, reference)) = &mut self.compare {
            let pose = finished.controls.iter().flatten().next();
            let image = compared(reference, pose, &finished.frame.image);
            writer.write(&Frame { image, time: finished.frame.time })?;
        }
        if let Some((_, sheet)) = &mut self.sheet {
            sheet.push(&finished.frame.image);
        }
        Ok(())
    }

    /// Completes every output and gives it its final name; the names. `all` says whether all frames were written.
    ///
    /// # Errors
    /// No frames; a full disk; files that do not hold what was written to them.
    pub fn finish(self, all: bool) -> Result<Vec<PathBuf>> {
        let finish = |writer: VideoWriter| if all { writer.finish() } else { writer.finish_early() };
        finish(self.clip)?;
        let mut written = vec![self.files.clip];
        if let Some((writer, _)) = self.compare {
            finish(writer)?;
            written.extend(self.files.compare);
        }
        if let Some((file, sheet)) = self.sheet {
            file.write_png(&sheet.finish(), &[])?;
            written.extend(self.files.sheet);
        }
        Ok(written)
    }
}

/// Reference, pose and result in a row that is no wider than a picture may be.
fn compared(reference: &RgbImage, pose: Option<&RgbImage>, result: &RgbImage) -> RgbImage {
    let (width, height) = result.dimensions();
    // Room for three pictures and the lines between them.
    let most = u64::from(MAX_SIDE / 4) * u64::from(height) / u64::from(width.max(1));
    let row = u64::from(height.max(COMPARE_HEIGHT)).min(most).max(1) as u32;
    side_by_side(&[reference, pose.unwrap_or(result), result], row)
}
