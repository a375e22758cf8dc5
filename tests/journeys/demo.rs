//! The demo succeeds and shows both sides.

use claviger_testkit::Home;

use super::BIN;

#[test]
fn the_demo_shows_both_sides_and_succeeds() {
    let home = Home::new(BIN);
    let ran = home.run(&["demo"], "");
    assert_eq!(ran.code, 0, "{}{}", ran.stdout, ran.stderr);
    for part in [
        "the agent sent",
        "the upstream saw",
        "authorization: Bearer sk-demo-",
        "━━ usage ━━",
        "━━ record ━━",
    ] {
        assert!(ran.stdout.contains(part), "{part:?} is not shown:\n{}", ran.stdout);
    }
    let document = home.json(&["demo"], "");
    assert_eq!(document["ok"], true, "{document}");
    assert!(document["checks"].as_array().unwrap().len() >= 8, "{document}");
    assert!(!home.path().exists(), "the user's own home is not touched");
}
