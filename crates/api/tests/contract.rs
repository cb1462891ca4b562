//! The committed OpenAPI document is the one that the routes make.

use std::path::Path;

#[test]
fn the_committed_document_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/openapi/native.json");
    let made = claviger_api::openapi_json();
    if std::env::var_os("CLAVIGER_UPDATE_OPENAPI").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, &made).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(committed == made, "docs/openapi/native.json is out of date: write it with `make openapi`");
}
