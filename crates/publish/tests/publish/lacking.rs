//! What stays in the place of packages of the plan that cannot be published.

use farm_publish::{Candidate, Deny, Lacking, Published, audit};
use fs_err as fs;

use crate::support::{Lab, Reading};

fn app(lab: &Lab, needs: &str) -> Candidate {
    lab.package_with("app-misc/app-1", "app", &[("RDEPEND", needs)])
}

fn without_app(lab: &Lab, candidates: &[Candidate]) -> Published {
    let lacking = [Lacking {
        cp: "app-misc/app".to_owned(),
        slot: "0".to_owned(),
    }];
    lab.publish_lacking(candidates, &lacking).unwrap()
}

fn listed(lab: &Lab) -> Vec<String> {
    lab.listed().into_iter().map(|(path, _)| path).collect()
}

const APP: &str = "app-misc/app/app-1-1.gpkg.tar";
const NEW_LIB: &str = "dev-libs/lib/lib-1-2.gpkg.tar";

#[test]
fn the_instance_of_the_release_before_stays_where_it_fits() {
    let lab = Lab::new();
    lab.publish(&[
        lab.package("dev-libs/lib-1", "A"),
        app(&lab, "dev-libs/lib sys-libs/not-ours"),
    ]);
    let lib = [lab.package("dev-libs/lib-1", "B")];
    let published = without_app(&lab, &lib);
    assert_eq!(published.held, ["app-misc/app-1-1"]);
    assert_eq!(
        (published.added, published.kept),
        (vec!["dev-libs/lib-1-2".to_owned()], 0)
    );
    assert_eq!(published.dropped, ["dev-libs/lib-1-1"]);
    assert_eq!(listed(&lab), [APP, NEW_LIB]);
    // And in every release after that, without another one being made.
    let again = without_app(&lab, &lib);
    assert_eq!((again.changed, again.held.len()), (false, 1));
    assert_eq!(audit(&lab.folder, &Reading, &mut |_, _| {}).unwrap().faults, []);
    // What can be published again takes its place.
    let whole = lab.publish(&[lib[0].clone(), app(&lab, "dev-libs/lib sys-libs/other")]);
    assert_eq!(whole.added, ["app-misc/app-1-2"]);
    assert_eq!(whole.held, [""; 0]);
}

#[test]
fn it_goes_where_it_does_not_fit_or_may_not_be() {
    let lib = |lab: &Lab| [lab.package("dev-libs/lib-1", "B")];
    let released = |needs: &str| {
        let lab = Lab::new();
        lab.publish(&[lab.package("dev-libs/lib-1", "A"), app(&lab, needs)]);
        lab
    };
    let gone = |lab: &Lab, what: &str| {
        let published = without_app(lab, &lib(lab));
        assert_eq!(published.held, [""; 0], "{what}");
        assert_eq!(listed(lab), [NEW_LIB], "{what}");
    };
    gone(&released("dev-libs/lib:1="), "another slot of what it needs");
    gone(&released("dev-libs/lib[x]"), "a flag that is not set");

    let damaged = released("");
    fs::remove_file(damaged.path(&format!("pub/opt/{APP}"))).unwrap();
    gone(&damaged, "its file is gone");

    let mut denied = released("");
    denied.deny = vec![Deny::License("MIT".to_owned())];
    let published = without_app(&denied, &lib(&denied));
    assert_eq!((published.held.len(), published.refused.len()), (0, 1));
    assert_eq!(listed(&denied), [""; 0]);

    let signed = released("").signed_by("key");
    gone(&signed, "nobody signed it");

    // Nobody said that anything is lacking: then it is not in the plan.
    let left = released("");
    assert_eq!(left.publish(&lib(&left)).held, [""; 0]);
    assert_eq!(listed(&left), [NEW_LIB]);
}
