//! Folders of puppets: every file, and the same bytes again.

use std::path::{Path, PathBuf};

use dreamtuner::dataset::{DatasetSettings, write_dataset};
use dreamtuner::outputs::{Reservation, Wanted};
use image::{Rgb, RgbImage};

fn write(folder: &Path, settings: &DatasetSettings) -> dreamtuner::Result<()> {
    let wanted = vec![Wanted::Folder(folder.to_path_buf())];
    let mut reserved = Reservation::begin(wanted, &[], false, "dataset").unwrap();
    write_dataset(folder, settings, &mut reserved, || {})
}

#[test]
fn a_dataset_has_every_file_and_the_same_bytes_again() {
    let settings = DatasetSettings { identities: 3, variants: 2, size: 32, ..Default::default() };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    folders.iter().for_each(|folder| write(folder.path(), &settings).unwrap());
    let read = |folder: &tempfile::TempDir, name: &str| std::fs::read(folder.path().join(name)).unwrap();
    let metadata = String::from_utf8(read(&folders[0], "metadata.jsonl")).unwrap();
    assert_eq!(metadata.as_bytes(), read(&folders[1], "metadata.jsonl"));
    let lines: Vec<serde_json::Value> =
        metadata.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 6);
    for (index, line) in lines.iter().enumerate() {
        assert_eq!(line["identity"], index / 2);
        assert_eq!(line["reference"], index % 2 == 0);
        assert!(line["follows"].is_null());
        assert_eq!(line["keypoints"].as_array().unwrap().len(), 18);
        for column in ["file_name", "mask_file_name", "control_file_name"] {
            let name = line[column].as_str().unwrap();
            assert_eq!(read(&folders[0], name), read(&folders[1], name));
            assert_eq!(image::open(folders[0].path().join(name)).unwrap().width(), 32);
        }
    }
}

#[test]
fn a_dataset_out_of_range_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = |settings: DatasetSettings| write(folder.path(), &settings).unwrap_err().to_string();
    assert!(refused(DatasetSettings { size: 8, ..Default::default() }).contains("16 to 2048"));
    assert!(refused(DatasetSettings { variants: 0, ..Default::default() }).contains("1 to 100"));
    assert!(refused(DatasetSettings { identities: 0, ..Default::default() }).contains("at least 1"));
}

/// The lines of a folder's metadata.
fn lines(folder: &Path) -> Vec<serde_json::Value> {
    let metadata = std::fs::read_to_string(folder.join("metadata.jsonl")).unwrap();
    metadata.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn picture(folder: &Path, line: &serde_json::Value, column: &str) -> RgbImage {
    image::open(folder.join(line[column].as_str().unwrap())).unwrap().into_rgb8()
}

/// The mean difference of two pictures, of 255.
fn difference(one: &RgbImage, other: &RgbImage) -> f64 {
    assert_eq!(one.dimensions(), other.dimensions());
    let sum: f64 = one.iter().zip(other.iter()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum();
    sum / one.len() as f64
}

#[test]
fn drafts_are_near_the_truth_and_unsure_where_they_are_not() {
    let settings =
        DatasetSettings { identities: 6, variants: 5, size: 96, seed: 2, drafts: true, ..Default::default() };
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    folders.iter().for_each(|folder| write(folder.path(), &settings).unwrap());
    let folder = folders[0].path();
    let (mut sure, mut unsure) = ((0.0, 0), (0.0, 0));
    for line in lines(folder) {
        if line["reference"] == true {
            assert!(line.get("draft_file_name").is_none());
            continue;
        }
        for column in ["draft_file_name", "confidence_file_name"] {
            let name = line[column].as_str().unwrap();
            let [one, other] =
                folders.each_ref().map(|folder| std::fs::read(folder.path().join(name)).unwrap());
            assert_eq!(one, other);
        }
        let [truth, draft, confidence] =
            ["file_name", "draft_file_name", "confidence_file_name"].map(|name| picture(folder, &line, name));
        for ((truth, draft), confidence) in truth.pixels().zip(draft.pixels()).zip(confidence.pixels()) {
            let far = truth.0.iter().zip(draft.0).map(|(a, b)| f64::from(a.abs_diff(b))).sum::<f64>() / 3.0;
            let side = if confidence.0[0] > 127 { &mut sure } else { &mut unsure };
            *side = (side.0 + far, side.1 + 1);
        }
    }
    let [sure, unsure] = [sure, unsure].map(|(sum, count)| sum / f64::from(count));
    assert!(sure < 12.0 && unsure > 2.0 * sure, "{sure} where drafts are sure, {unsure} where not");
}

#[test]
fn drawings_are_learnt_from_themselves_in_other_poses() {
    let [given, folder] = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let drawings = Some(given.path().to_path_buf());
    let settings = DatasetSettings {
        identities: 2,
        variants: 3,
        size: 128,
        drafts: true,
        drawings,
        ..Default::default()
    };
    let nobody = RgbImage::from_pixel(40, 60, Rgb([255; 3]));
    nobody.save(given.path().join("nobody.png")).unwrap();
    let error = write(folder.path(), &settings).unwrap_err().to_string();
    assert!(error.contains("no drawing in which a whole figure is found"), "{error}");

    let own: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    for name in ["groom.png", "police.png"] {
        std::fs::copy(own.join(name), given.path().join(name)).unwrap();
    }
    write(folder.path(), &settings).unwrap();
    let lines = lines(folder.path());
    assert_eq!(lines.len(), 6);
    let white = RgbImage::from_pixel(128, 128, Rgb([255; 3]));
    for line in lines.iter().filter(|line| line["reference"] == false) {
        let [truth, draft] = ["file_name", "draft_file_name"].map(|name| picture(folder.path(), line, name));
        let (drafted, empty) = (difference(&truth, &draft), difference(&truth, &white));
        assert!(0.1 < drafted && drafted < 0.5 * empty, "{drafted} from the draft, {empty} from nothing");
        assert_eq!(line["caption"], "white background");
    }
    // The other drawing, and the other pose.
    let pictures: Vec<RgbImage> =
        lines.iter().map(|line| picture(folder.path(), line, "file_name")).collect();
    for (one, other) in [(0, 1), (0, 3), (1, 4)] {
        assert!(difference(&pictures[one], &pictures[other]) > 5.0, "{one} {other}");
    }
}
