//! What live ebuilds say of their source, asked of the real Portage.

use farm_resolver::{LiveRef, LiveSource, Plan};

use crate::support::{Toy, request};

fn source(plan: &Plan) -> LiveSource {
    let live = plan.packages.iter().find_map(|package| package.live.clone());
    live.expect("one package is live")
}

#[test]
fn portage_sources_them_and_runs_nothing() {
    let toy = Toy::with(include_str!("../fixtures/live.txtar"));
    let text = source(&toy.plan(&["dev-libs/live-text"]));
    assert_eq!(
        text,
        LiveSource {
            uris: vec![
                "https://example.org/live-text.git".into(),
                "https://mirror.example.org/live-text.git".into()
            ],
            branch: "main".into(),
            ..LiveSource::default()
        }
    );
    let list = source(&toy.plan(&["dev-libs/live-list"]));
    assert_eq!(list.uris, ["https://example.org/live-list.git"]);
    assert_eq!(list.wanted(), LiveRef::Named("refs/tags/v9999".into()));
    assert_eq!(list.date, "2020-01-01 00:00");
    assert!(list.lfs);
    assert_eq!(list.submodules, Some(vec!["*".into(), "-test-*".into()]));
    // No submodule is something else than nothing said about them.
    assert_eq!(source(&toy.plan(&["dev-libs/live-none"])).submodules, Some(Vec::new()));
    assert_eq!(source(&toy.plan(&["dev-libs/live-broken"])).error, "it broke in info");

    let plan = toy.plan(&["dev-libs/leaf"]);
    assert!(plan.packages.iter().all(|package| package.live.is_none()));
    let bytes = toy.answer_bytes(&request(&["dev-libs/live-broken", "dev-libs/live-list"]));
    assert_eq!(
        toy.answer_bytes(&request(&["dev-libs/live-broken", "dev-libs/live-list"])),
        bytes
    );
}
