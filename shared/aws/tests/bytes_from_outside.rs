//! Items of DynamoDB that were hostile once, or might be: each file of the corpus is read as the table may answer it.

#![cfg(feature = "dynamodb")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bytes;

use std::fs;
use std::path::Path;

#[test]
fn an_item_in_dynamodbs_own_form() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/attributes");
    let mut files = 0;
    for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("reading {}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let bytes = fs::read(&path).unwrap();
        assert_eq!(bytes::attributes(&bytes), name.starts_with("valid"), "{name}");
        // What is cut off in the middle, as by a limit somewhere on its way.
        for part in [bytes.len() / 3, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            bytes::attributes(&bytes[..part]);
        }
        files += 1;
    }
    assert!(files > 0, "{} has no files", folder.display());
}
