//! PNG files with text in them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use image::{ExtendedColorType, ImageBuffer, PixelWithColorType};

use super::part::PartFile;
use crate::error::{Error, Result};
use crate::files::{guarded, open};

/// The field that says which program made a picture, as the PNG specification names it.
const SOFTWARE: &str = "Software";
/// What this program says there. Pictures of a sequence are known by it for the program's own.
const OWN: &str = "dreamtuner";
/// Most bytes of a file's text that are read.
const MOST_TEXT: usize = 1 << 24;

/// A picture as a PNG file that says that this program made it, and `texts` (field and text), compressed little.
///
/// # Errors
/// In words: a field that PNG does not allow.
pub(crate) fn encode<P>(
    image: &ImageBuffer<P, Vec<u8>>,
    texts: &[(&str, &str)],
) -> std::result::Result<Vec<u8>, String>
where
    P: PixelWithColorType<Subpixel = u8>,
{
    let fail = |error: png::EncodingError| error.to_string();
    let colours = match P::COLOR_TYPE {
        ExtendedColorType::L8 => png::ColorType::Grayscale,
        ExtendedColorType::Rgb8 => png::ColorType::Rgb,
        ExtendedColorType::Rgba8 => png::ColorType::Rgba,
        other => return Err(format!("pictures of {other:?} are not written")),
    };
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, image.width(), image.height());
    encoder.set_color(colours);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    encoder.set_filter(png::Filter::Adaptive);
    for (name, text) in [&[(SOFTWARE, OWN)], texts].concat() {
        // Plain chunks are Latin-1; some programs read no others.
        if text.chars().all(|letter| u32::from(letter) < 256) {
            encoder.add_text_chunk(name.to_owned(), text.to_owned()).map_err(fail)?;
        } else {
            encoder.add_itxt_chunk(name.to_owned(), text.to_owned()).map_err(fail)?;
        }
    }
    let mut writer = encoder.write_header().map_err(fail)?;
    writer.write_image_data(image.as_raw()).map_err(fail)?;
    writer.finish().map_err(fail)?;
    Ok(bytes)
}

/// The texts of a PNG file, by field.
///
/// # Errors
/// [`Error::Io`]; [`Error::Input`] for a file that is no PNG file or damaged.
pub fn read_text(path: &Path) -> Result<BTreeMap<String, String>> {
    read(path, true)
}

/// Whether a picture says that this program made it.
pub(crate) fn is_own(path: &Path) -> bool {
    read(path, false).is_ok_and(|texts| texts.get(SOFTWARE).is_some_and(|software| software == OWN))
}

/// The texts before the picture, or all of them.
fn read(path: &Path, all: bool) -> Result<BTreeMap<String, String>> {
    let file = open(path)?;
    guarded(path, || read_from(path, file, all))
}

fn read_from(path: &Path, file: File, all: bool) -> Result<BTreeMap<String, String>> {
    let fail = |error: png::DecodingError| Error::input(path, error.to_string());
    let mut decoder = png::Decoder::new_with_limits(BufReader::new(file), png::Limits { bytes: MOST_TEXT });
    decoder.set_ignore_text_chunk(false);
    let mut reader = decoder.read_info().map_err(fail)?;
    if all {
        reader.finish().map_err(fail)?;
    }
    let info = reader.info();
    let mut texts = BTreeMap::new();
    for chunk in &info.uncompressed_latin1_text {
        texts.insert(chunk.keyword.clone(), chunk.text.clone());
    }
    for chunk in &info.compressed_latin1_text {
        texts.insert(chunk.keyword.clone(), chunk.get_text().map_err(fail)?);
    }
    for chunk in &info.utf8_text {
        texts.insert(chunk.keyword.clone(), chunk.get_text().map_err(fail)?);
    }
    Ok(texts)
}

impl PartFile {
    /// Writes a picture as a PNG file with texts (field and text), and gives the file its name.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub fn write_png<P>(self, image: &ImageBuffer<P, Vec<u8>>, texts: &[(&str, &str)]) -> Result<()>
    where
        P: PixelWithColorType<Subpixel = u8>,
    {
        let bytes = encode(image, texts).map_err(|problem| Error::output(self.target(), problem))?;
        self.write_bytes(&bytes)
    }
}
