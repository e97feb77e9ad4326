//! Packages that show what they were built from.

use std::path::Path;

use fs_err as fs;

use super::FarmSpace;

/// Where the ebuilds of a workspace are.
pub(crate) const OVERLAY: &str = "farms/tiny/overlay";

/// A package that installs one file, `/usr/share/parts/NAME`: a line with its name and version, and below it the files of what it was built
/// from, as they were when it was built. So a file tells which instances met in a build root.
pub(crate) struct Part {
    category: String,
    name: String,
    version: String,
    variables: String,
    compile: String,
    install: String,
}

impl Part {
    /// A package called `CATEGORY/NAME-VERSION` that needs nothing.
    pub(crate) fn new(cpv: &str) -> Self {
        let (category, pf) = cpv.split_once('/').unwrap();
        let (name, version) = pf.rsplit_once('-').unwrap();
        Self {
            category: category.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            variables: String::new(),
            compile: String::new(),
            install: String::new(),
        }
    }

    /// Lines of the ebuild's head besides, of which a later one takes the place of an earlier: `SLOT="0/2"`.
    pub(crate) fn head(mut self, lines: &str) -> Self {
        self.variables += &format!("{lines}\n");
        self
    }

    /// Needs this to run, and to be built.
    pub(crate) fn uses(self, atoms: &str) -> Self {
        self.head(&format!("RDEPEND=\"{atoms}\"\nDEPEND=\"${{RDEPEND}}\""))
    }

    /// Needs these tools to be built.
    pub(crate) fn built_with(self, atoms: &str) -> Self {
        self.head(&format!("BDEPEND=\"{atoms}\""))
    }

    /// Takes the files of these parts; the build fails if one is not there.
    pub(crate) fn built_from(self, parts: &[&str]) -> Self {
        let take = |part: &&str| format!("\tcat /usr/share/parts/{part} >> ${{PN}} || die\n");
        let lines: String = parts.iter().map(take).collect();
        self.compile(&lines)
    }

    /// Lines of `src_compile` besides.
    pub(crate) fn compile(mut self, lines: &str) -> Self {
        self.compile += lines;
        self
    }

    /// Lines of `src_install` besides.
    pub(crate) fn install(mut self, lines: &str) -> Self {
        self.install += lines;
        self
    }

    /// Puts the ebuild into the overlay of a workspace.
    pub(crate) fn write(&self, space: &FarmSpace) {
        self.put(&space.path(OVERLAY));
    }

    /// Puts the ebuild into a repository.
    pub(super) fn put(&self, repository: &Path) {
        let folder = repository.join(&self.category).join(&self.name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(
            folder.join(format!("{}-{}.ebuild", self.name, self.version)),
            self.ebuild(),
        )
        .unwrap();
    }

    /// The ebuild.
    pub(super) fn ebuild(&self) -> String {
        let Self {
            variables,
            compile,
            install,
            ..
        } = self;
        format!(
            "EAPI=8\nDESCRIPTION=\"A part\"\nHOMEPAGE=\"https://example.org/\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\nKEYWORDS=\"amd64\"\n\
             S=\"${{WORKDIR}}\"\n{variables}\nsrc_compile() {{\n\techo ${{PN}} ${{PV}} > ${{PN}} || die\n{compile}}}\n\n\
             src_install() {{\n\tinsinto /usr/share/parts\n\tdoins ${{PN}}\n{install}}}\n"
        )
    }
}
