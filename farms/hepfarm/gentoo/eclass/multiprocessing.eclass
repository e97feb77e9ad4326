# Distributed under the terms of the licence of this project

# @ECLASS: multiprocessing.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: tells how many jobs a build may run at once
# @DESCRIPTION:
# The functions have the names and results of the eclass of the same name in
# ::gentoo, so that an ebuild works over either repository.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

if [[ -z ${_MULTIPROCESSING_ECLASS} ]]; then
_MULTIPROCESSING_ECLASS=1

# @FUNCTION: get_nproc
# @USAGE: [default]
# @DESCRIPTION:
# Prints the number of processors this process may use.
get_nproc() {
	nproc 2>/dev/null || echo "${1:-1}"
}

# @FUNCTION: makeopts_jobs
# @USAGE: [make options] [number if they name no limit]
# @DESCRIPTION:
# Prints the number of jobs that MAKEOPTS asks for; 1 if it names none.
makeopts_jobs() {
	local options=${1-${MAKEOPTS}} unlimited=${2:-$(( $(get_nproc) + 1 ))}
	local -a words
	read -ra words <<< "${options}"

	local jobs=1 at word next
	for (( at = 0; at < ${#words[@]}; at++ )); do
		word=${words[at]} next=${words[at + 1]}
		case ${word} in
			-j|--jobs) [[ ${next} =~ ^[0-9]+$ ]] && jobs=${next} || jobs=${unlimited} ;;
			-j*) jobs=${word#-j} ;;
			--jobs=*) jobs=${word#--jobs=} ;;
		esac
	done
	echo "${jobs}"
}

fi
