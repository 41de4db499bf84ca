//! Folders of puppets: every file, and the same bytes again.

use std::path::Path;

use dreamtuner::outputs::{Reservation, Wanted};
use dreamtuner::puppet::dataset::{DatasetSettings, write_dataset};

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
