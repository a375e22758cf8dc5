//! Build script of the root package: embeds the page and compiles the window's permissions.
//!
//! Does nothing unless the feature `desktop` is on, so that everything but the window builds without GTK.

fn main() {
    println!("cargo:rerun-if-changed=src-tauri/build.rs");
    #[cfg(feature = "desktop")]
    desktop();
}

#[cfg(feature = "desktop")]
#[expect(clippy::panic, reason = "a build script fails by panicking")]
fn desktop() {
    // The patterns below are not the default ones, so their folders are watched here.
    println!("cargo:rerun-if-changed=src-tauri/capabilities");
    println!("cargo:rerun-if-changed=src-tauri/permissions");
    println!("cargo:rerun-if-changed=ui/dist");
    println!("cargo:rerun-if-changed=icons");
    if !std::path::Path::new("ui/dist/index.html").exists() {
        panic!(
            "the page is not built: run `npm ci --ignore-scripts && npm run build` in ui/, or `cargo xtask run`"
        );
    }
    let attributes = tauri_build::Attributes::new()
        .capabilities_path_pattern("src-tauri/capabilities/**/*")
        .app_manifest(tauri_build::AppManifest::new().permissions_path_pattern("src-tauri/permissions/**/*"));
    if let Err(error) = tauri_build::try_build(attributes) {
        panic!("the window's configuration is wrong: {error:#}");
    }
}
