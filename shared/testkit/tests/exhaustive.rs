//! Two executors on one wake, one crash anywhere, a plan of three steps: every interleaving.

use understudy_testkit::sim::exhaustive::search;

#[test]
fn every_interleaving_of_two_executors_and_one_crash_ends_right() {
    let searched = search();
    println!(
        "{} interleavings of up to {} moves, through {} different worlds to {} ends",
        searched.interleavings, searched.longest, searched.worlds, searched.ends
    );
    assert_eq!(searched.violations, Vec::<String>::new());
    assert!(searched.interleavings > 10_000, "{searched:?}");
}
