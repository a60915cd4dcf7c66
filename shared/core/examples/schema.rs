//! Writes `docs/plan.schema.json`, the published schema of plan files, from the plan's types.
//!
//! `make schema` runs it; a test of this crate fails while the file is not current.

use std::path::Path;

fn main() -> std::io::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/plan.schema.json");
    let mut text = serde_json::to_string_pretty(&understudy_core::plan::json_schema())?;
    text.push('\n');
    std::fs::write(&path, text)?;
    println!("wrote docs/plan.schema.json");
    Ok(())
}
