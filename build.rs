//! Tells the program of which commit it was built, where that is known.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-env-changed=ONCEGATE_BUILD");
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // Where a package is built of a plain tree, its maker says what it is.
    let build = std::env::var("ONCEGATE_BUILD").ok().or_else(|| {
        let folder = git(&["rev-parse", "--absolute-git-dir"])?;
        println!("cargo:rerun-if-changed={folder}/logs/HEAD");
        git(&["rev-parse", "--short=12", "HEAD"])
    });
    println!("cargo:rustc-env=ONCEGATE_BUILD={}", build.as_deref().unwrap_or("unknown build"));
}
