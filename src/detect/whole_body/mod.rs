//! Body, hands and face by networks from files: RTMPose and DWPose, with YOLOX or MoveNet to find the people.

mod rtmpose;
mod yolox;

use std::path::{Path, PathBuf};

use image::RgbImage;

use super::estimator::{Estimator, Found};
use super::movenet::{MoveNet, Variant};
use super::onnx::Onnx;
use super::region::Region;
use super::search::{LEAST_SCORE, add};
use crate::error::{Error, Result};
use crate::pose::Person;
use rtmpose::RtmPose;
use yolox::Yolox;

/// A pose network with what finds the people for it.
pub struct WholeBody {
    pose: RtmPose,
    people: People,
}

enum People {
    Yolox(Box<Yolox>),
    MoveNet(Box<MoveNet>),
}

impl WholeBody {
    /// Reads an ONNX file of RTMPose (<https://arxiv.org/abs/2303.07399>) or DWPose
    /// (<https://arxiv.org/abs/2307.15880>), such as `dw-ll_ucoco_384.onnx`. It takes one picture and has two outputs,
    /// (1, points, columns) and (1, points, rows), of COCO's 17 points or whole body's 133. MoveNet then finds the
    /// people. Or reads a folder that holds such a file and one of YOLOX, such as `yolox_l.onnx`, which then finds
    /// them: an output (1, cells, 5 + classes), not decoded.
    ///
    /// # Errors
    /// A file that is none of these, a folder without the first or with several of one kind.
    pub fn open(path: &Path) -> Result<Self> {
        let (mut poses, mut detectors) = (Vec::new(), Vec::new());
        for file in Self::files(path)? {
            let network = Onnx::open(&file)?;
            match network.outputs().len() {
                1 => detectors.push(Yolox::new(network)?),
                _ => poses.push(RtmPose::new(network)?),
            }
        }
        let (Some(pose), yolox, true, true) =
            (poses.pop(), detectors.pop(), poses.is_empty(), detectors.is_empty())
        else {
            let problem =
                "has to be or to hold one pose network, beside it at most one detector, as .onnx files";
            return Err(Error::weights(path, problem));
        };
        let people = match yolox {
            Some(yolox) => People::Yolox(Box::new(yolox)),
            None => People::MoveNet(Box::new(MoveNet::new(Variant::default())?)),
        };
        Ok(Self { pose, people })
    }

    /// The files that a path stands for: the file itself, or the .onnx files in a folder, by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
        if !path.is_dir() {
            return Ok(vec![path.to_path_buf()]);
        }
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let entries = entries.map_err(|error| Error::io(path, error))?;
        let is_onnx =
            |path: &PathBuf| path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("onnx"));
        let mut files: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).filter(is_onnx).collect();
        files.sort();
        Ok(files)
    }

    /// The person in a box.
    fn find_in(&self, picture: &RgbImage, bounds: Region) -> Result<Found> {
        self.pose.find(picture, self.pose.region(bounds))
    }

    /// Around everyone in a picture.
    fn boxes(&self, picture: &RgbImage) -> Result<Vec<Region>> {
        match &self.people {
            People::Yolox(yolox) => yolox.find(picture),
            People::MoveNet(movenet) => {
                let people = movenet.find_people(picture)?;
                Ok(people.iter().filter_map(|found| Region::of(&found.person)).collect())
            }
        }
    }
}

impl Estimator for WholeBody {
    fn find(&self, picture: &RgbImage, region: Region) -> Result<Found> {
        self.pose.find(picture, region)
    }

    fn find_people(&self, picture: &RgbImage) -> Result<Vec<Found>> {
        let mut people: Vec<Found> = Vec::new();
        for bounds in self.boxes(picture)? {
            add(&mut people, self.find_in(picture, bounds)?);
        }
        Ok(people)
    }

    fn find_person(&self, picture: &RgbImage) -> Result<Option<Found>> {
        let mut boxes = match &self.people {
            People::Yolox(yolox) => yolox.find(picture)?,
            People::MoveNet(movenet) => {
                let found = movenet.find_person(picture)?;
                found.iter().filter_map(|found| Region::of(&found.person)).collect()
            }
        };
        // Drawn characters are not always taken for people.
        boxes.push(Region::all(picture));
        let mut best: Option<Found> = None;
        for bounds in boxes {
            let found = self.find_in(picture, bounds)?;
            if found.score >= best.as_ref().map_or(LEAST_SCORE, |best| best.score) {
                best = Some(found);
            }
        }
        Ok(best)
    }

    fn region_for(&self, person: &Person, _width: u32, _height: u32) -> Option<Region> {
        Region::of(person).map(|bounds| self.pose.region(bounds))
    }
}
