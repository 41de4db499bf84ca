//! A network's files together with its configuration, parsed.

use std::ops::Deref;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::networks::Part;
use super::part::PartFiles;
use super::tensor_file::TensorFile;
use crate::error::{Error, Result};
use crate::model::config::{
    ImageEncoderConfig, TextConfig, TinyVaeConfig, UNetConfig, VaeConfig, VisionTransformerConfig,
};
use crate::model::subject_config::SubjectConfig;

/// What a network's `config.json` says.
pub trait NetworkConfig: Sized {
    /// Reads and checks it.
    ///
    /// # Errors
    /// [`Error::Setting`] for a field that is missing or asks for what this program has not.
    fn parse(json: &Value, part: Part) -> Result<Self>;
}

/// Files of one network whose configuration can be used. Only headers have been read. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct NetworkFiles<C> {
    files: PartFiles,
    /// The configuration.
    pub config: C,
}

impl<C: NetworkConfig> NetworkFiles<C> {
    /// Opens a network, as [`PartFiles::open`].
    ///
    /// # Errors
    /// Those of [`PartFiles::open`], and [`Error::Weights`] for a configuration that cannot be used.
    pub fn open(path: &Path, part: Part) -> Result<Self> {
        PartFiles::open(path, part)?.try_into()
    }

    /// Replaces some of the weights, as [`PartFiles::replaced`].
    pub(super) fn replace(&mut self, file: &Arc<TensorFile>, prefix: &str, names: &[&str]) -> Result<()> {
        self.files = self.files.replaced(file, prefix, names)?;
        Ok(())
    }
}

impl<C: NetworkConfig> TryFrom<PartFiles> for NetworkFiles<C> {
    type Error = Error;

    fn try_from(files: PartFiles) -> Result<Self> {
        let config = C::parse(&files.config_json, files.part()).map_err(|error| match error {
            Error::Setting { name, problem } => Error::weights(files.path(), format!("{name}: {problem}")),
            other => other,
        })?;
        Ok(Self { files, config })
    }
}

impl<C> Deref for NetworkFiles<C> {
    type Target = PartFiles;

    fn deref(&self) -> &PartFiles {
        &self.files
    }
}

impl NetworkConfig for UNetConfig {
    fn parse(json: &Value, part: Part) -> Result<Self> {
        if part == Part::Unet { Self::of_unet(json) } else { Self::from_json(json) }
    }
}

/// Networks that are described alike wherever they stand.
macro_rules! plain {
    ($($config:ty),+) => {
        $(impl NetworkConfig for $config {
            fn parse(json: &Value, _: Part) -> Result<Self> {
                Self::from_json(json)
            }
        })+
    };
}

plain!(VaeConfig, TinyVaeConfig, TextConfig, ImageEncoderConfig, VisionTransformerConfig, SubjectConfig);
