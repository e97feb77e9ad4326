# Distributed under the terms of the licence of this project

# @ECLASS: cmake.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: phases of packages that are built by CMake
# @DESCRIPTION:
# Builds outside the source folder, by Ninja if the ebuild does not choose make.
# The interface is that of the eclass of the same name in ::gentoo, so that an
# ebuild works over either repository.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

if [[ -z ${_CMAKE_ECLASS} ]]; then
_CMAKE_ECLASS=1

inherit flag-o-matic multiprocessing toolchain-funcs

# @ECLASS_VARIABLE: BUILD_DIR
# @DEFAULT_UNSET
# @DESCRIPTION:
# Where to build; beside the sources, with _build at the end of its name, if unset.

# @ECLASS_VARIABLE: CMAKE_USE_DIR
# @DEFAULT_UNSET
# @DESCRIPTION:
# The folder of the outermost CMakeLists.txt; the current folder if unset.

# @ECLASS_VARIABLE: CMAKE_MAKEFILE_GENERATOR
# @PRE_INHERIT
# @DESCRIPTION:
# "ninja" or "emake".
: "${CMAKE_MAKEFILE_GENERATOR:=ninja}"

# @ECLASS_VARIABLE: CMAKE_BUILD_TYPE
# @DESCRIPTION:
# The build type; its own flags are emptied, so that CFLAGS are all there is.
: "${CMAKE_BUILD_TYPE:=RelWithDebInfo}"

# @VARIABLE: mycmakeargs
# @DEFAULT_UNSET
# @DESCRIPTION:
# Array of what the ebuild gives to cmake.

case ${CMAKE_MAKEFILE_GENERATOR} in
	ninja) BDEPEND="dev-build/cmake dev-build/ninja" ;;
	emake) BDEPEND="dev-build/cmake dev-build/make" ;;
	*) die "${ECLASS}: unknown generator ${CMAKE_MAKEFILE_GENERATOR}" ;;
esac

# @FUNCTION: _cmake_check_build_dir
# @INTERNAL
# @DESCRIPTION:
# Settles the two folders.
_cmake_check_build_dir() {
	: "${CMAKE_USE_DIR:=${PWD}}"
	: "${BUILD_DIR:=${CMAKE_USE_DIR%/}_build}"
}

# @FUNCTION: cmake_use_find_package
# @USAGE: <flag> <package as find_package has it>
# @DESCRIPTION:
# Prints the option that hides a package from CMake if the flag is not set.
cmake_use_find_package() {
	[[ $# -eq 2 ]] || die "${FUNCNAME} takes a flag and a package name"
	echo "-DCMAKE_DISABLE_FIND_PACKAGE_${2}=$(usex "${1}" OFF ON)"
}

# @FUNCTION: cmake_comment_add_subdirectory
# @USAGE: <folders>
# @DESCRIPTION:
# Takes folders out of the CMakeLists.txt of the current folder.
cmake_comment_add_subdirectory() {
	local folder
	for folder; do
		sed -i -e "/^[[:space:]]*add_subdirectory[[:space:]]*([[:space:]]*${folder//\//\\/}[[:space:]]*)/I s/^/#/" \
			CMakeLists.txt || die
	done
}

# @FUNCTION: cmake_src_prepare
# @DESCRIPTION:
# Applies PATCHES and the user's patches.
cmake_src_prepare() {
	default_src_prepare
	_cmake_check_build_dir
}

# @FUNCTION: cmake_src_configure
# @DESCRIPTION:
# Runs cmake. What Portage decides (tools, flags, folders) is an initial cache, so
# that mycmakeargs can still say otherwise.
cmake_src_configure() {
	_cmake_check_build_dir
	tc-export AR CC CXX NM RANLIB

	# CFLAGS and the like reach CMake through the environment: the flags of the
	# build type would come after them and win.
	local type=${CMAKE_BUILD_TYPE^^}
	local cache=${T}/portage-cache.cmake
	cat > "${cache}" <<-_CACHE_ || die
		set(CMAKE_AR "$(type -P "${AR}")" CACHE FILEPATH "" FORCE)
		set(CMAKE_RANLIB "$(type -P "${RANLIB}")" CACHE FILEPATH "" FORCE)
		set(CMAKE_C_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_CXX_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_Fortran_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_EXE_LINKER_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_MODULE_LINKER_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_SHARED_LINKER_FLAGS_${type} "" CACHE STRING "")
		set(CMAKE_BUILD_TYPE "${CMAKE_BUILD_TYPE}" CACHE STRING "")
		set(CMAKE_INSTALL_PREFIX "${EPREFIX}/usr" CACHE PATH "")
		set(CMAKE_INSTALL_LIBDIR "$(get_libdir)" CACHE PATH "")
		set(CMAKE_INSTALL_SYSCONFDIR "${EPREFIX}/etc" CACHE PATH "")
		set(CMAKE_INSTALL_LOCALSTATEDIR "${EPREFIX}/var" CACHE PATH "")
		set(CMAKE_INSTALL_DOCDIR "${EPREFIX}/usr/share/doc/${PF}" CACHE PATH "")
		set(LIB_SUFFIX "$(get_libdir | sed -e 's/^lib//')" CACHE STRING "")
		set(BUILD_SHARED_LIBS ON CACHE BOOL "")
		set(CMAKE_SKIP_INSTALL_RPATH ON CACHE BOOL "")
		set(CMAKE_COLOR_DIAGNOSTICS OFF CACHE BOOL "")
		set(CMAKE_FIND_USE_PACKAGE_REGISTRY OFF CACHE BOOL "")
		set(CMAKE_EXPORT_NO_PACKAGE_REGISTRY ON CACHE BOOL "")
		set(FETCHCONTENT_FULLY_DISCONNECTED ON CACHE BOOL "")
	_CACHE_

	local generator=Ninja
	[[ ${CMAKE_MAKEFILE_GENERATOR} == emake ]] && generator="Unix Makefiles"

	local -a arguments=(
		-G "${generator}"
		-C "${cache}"
		"${mycmakeargs[@]}"
		${MYCMAKEARGS}
		-S "${CMAKE_USE_DIR}"
		-B "${BUILD_DIR}"
	)
	echo cmake "${arguments[@]@Q}"
	# CMake does not read CPPFLAGS.
	CFLAGS="${CPPFLAGS} ${CFLAGS}" CXXFLAGS="${CPPFLAGS} ${CXXFLAGS}" \
		cmake "${arguments[@]}" || die "cmake failed"
}

# @FUNCTION: cmake_build
# @USAGE: [targets]
# @DESCRIPTION:
# Builds targets, or everything.
cmake_build() {
	_cmake_check_build_dir
	case ${CMAKE_MAKEFILE_GENERATOR} in
		ninja)
			# Without NINJAOPTS the number of jobs is Portage's.
			local options=${NINJAOPTS--j$(makeopts_jobs)}
			set -- ninja -v ${options} -C "${BUILD_DIR}" "$@"
			echo "$@"
			"$@" || die "ninja failed"
			;;
		emake)
			emake -C "${BUILD_DIR}" VERBOSE=1 "$@"
			;;
	esac
}

# @FUNCTION: cmake_src_compile
# @USAGE: [targets]
cmake_src_compile() { cmake_build "$@"; }

# @FUNCTION: cmake_src_test
# @USAGE: [arguments of ctest]
cmake_src_test() {
	_cmake_check_build_dir
	cd "${BUILD_DIR}" || die
	[[ -e CTestTestfile.cmake ]] || return 0
	ctest -j "$(makeopts_jobs)" --output-on-failure "$@" || die "tests failed"
}

# @FUNCTION: cmake_src_install
# @USAGE: [targets]
cmake_src_install() {
	_cmake_check_build_dir
	DESTDIR=${D} cmake_build "${@:-install}"

	cd "${CMAKE_USE_DIR}" || die
	einstalldocs
}

fi

EXPORT_FUNCTIONS src_prepare src_configure src_compile src_test src_install
