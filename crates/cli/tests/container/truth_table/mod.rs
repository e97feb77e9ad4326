//! The rebuild truth table: one change at a time to a farm of which everything is built, and exactly the nodes that run.
//!
//! A row is a change and a list of nodes; after most rows the change is taken back, and nothing runs but the binhost, which
//! is one folder and holds what was built last. Rows that need whole packages only in the end build one target.

mod bases;
mod distfiles;
mod manifest;
mod outputs;
mod packages;
mod roots;
mod same;
mod trees;

use crate::support::{FarmSpace, Output};

/// A run that was compared already, and may be looked at further.
struct Ran(Output);

const LIBFOO: &str = "pkg/dev-libs/libfoo-1.2";
const BAR: &str = "pkg/dev-libs/bar-2.0";
const TOOL: &str = "pkg/dev-util/tool-1.0";
const LEAF: &str = "pkg/app-misc/leaf-1.0";
const PACKAGES: &[&str] = &[LIBFOO, BAR, TOOL, LEAF];

/// What runs when Portage is asked again and may answer otherwise.
const PLANS: &[&str] = &["plan/libs", "plan/apps", "plan"];
/// What runs when Portage is asked again, and its answer is the same in all that the farm's plan takes from it.
const QUESTIONS: &[&str] = &["plan/libs", "plan/apps"];
/// What is made of `app-misc/leaf` and what it needs to run.
const PRODUCTS: &[&str] = &["binhost", "image/leaf", "task/greet"];

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";

/// A package of the overlay that nothing depends on.
const EXTRA: &str = "pkg/app-misc/extra-1.0";
const EXTRA_EBUILD: &str = "app-misc/extra/extra-1.0.ebuild";
const EXTRA_TEXT: &str = r#"EAPI=8

DESCRIPTION="A file that nothing depends on"
HOMEPAGE="https://example.org/extra"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	echo "extra ${PV}" > extra || die
	insinto /usr/share
	doins extra
}
"#;

/// Several lists as one.
fn nodes<'a>(lists: &[&[&'a str]]) -> Vec<&'a str> {
    lists.concat()
}

impl FarmSpace {
    /// Builds everything and compares what ran.
    #[track_caller]
    fn runs(&self, what: &str, lists: &[&[&str]]) -> Ran {
        let output = self.build(&[]);
        output.assert_ran(what, &nodes(lists));
        Ran(output)
    }

    /// Builds one target and what it needs, and compares what ran.
    #[track_caller]
    fn runs_for(&self, target: &str, what: &str, lists: &[&[&str]]) -> Ran {
        let output = self.farm(&["build", &format!("tiny:{target}"), "--json"]);
        output.assert_ran(what, &nodes(lists));
        Ran(output)
    }
}

impl Ran {
    /// Compares the nodes of which something was built anew and that did not have to run themselves.
    #[track_caller]
    fn assert_cut_off(&self, nodes: &[&str]) {
        let found = self.0.with_result("cutoff");
        for node in nodes {
            assert!(
                found.contains(&format!("tiny:{node}")),
                "{node} is not cut off: {}",
                self.0
            );
        }
    }
}
