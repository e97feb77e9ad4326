# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="C++ templates for linear algebra: matrices, vectors, solvers"
HOMEPAGE="https://eigen.tuxfamily.org/"
SRC_URI="mirror://debian/pool/main/e/eigen3/eigen3_${PV}.orig.tar.bz2 -> ${P}.tar.bz2"

LICENSE="MPL-2.0"
SLOT="3"
KEYWORDS="amd64"

src_configure() {
	# Headers only: whatever is compiled here is thrown away.
	local mycmakeargs=(
		-DBUILD_TESTING=OFF
		-DEIGEN_BUILD_DOC=OFF
		-DEIGEN_BUILD_BTL=OFF
		# The search for a Fortran compiler is for the tests' BLAS.
		-DCMAKE_Fortran_COMPILER=NOTFOUND
	)
	cmake_src_configure
}

src_compile() { :; }
