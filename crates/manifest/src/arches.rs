//! The architectures of the Gentoo tree.

/// Gentoo's architectures (GLEP 53 and the tree's `profiles/arch.list`, without the prefix ones, which hold a `-` and can
/// be no USE flag of a text block by accident). A bare word of a text block that is one of them is a keyword.
pub(crate) const ARCHES: &[&str] = &[
    "alpha", "amd64", "arm", "arm64", "hppa", "ia64", "loong", "m68k", "mips", "ppc", "ppc64", "riscv", "s390",
    "sparc", "x86",
];
