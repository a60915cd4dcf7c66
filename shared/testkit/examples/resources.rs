//! Writes `docs/RESOURCES.md`, the table of the kinds of steps, from the drivers.
//!
//! `make schema` runs it; a test of this crate fails while the file is not current.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/RESOURCES.md");
    let page = understudy_testkit::resources::page().map_err(std::io::Error::other)?;
    std::fs::write(&path, page)?;
    println!("wrote docs/RESOURCES.md");
    Ok(())
}
