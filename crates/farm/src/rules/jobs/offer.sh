# Makes the FIFO for job tokens and tells the programs of this root of it, each in the way it understands. Sourced by the
# shell that becomes emerge. Where something is missing, MAKEOPTS says how many jobs there are, as ever.
farm_jobs=/dev/shm/farm-jobs

# What is read from standard input takes the place of program $1, which goes to /.farm. It has its name and its path: nothing
# in a package tells the two apart.
farm_stand_in() {
  farm_program=$(readlink -f "$(command -v "$1")")
  mv "$farm_program" "/.farm/$1"
  cat >"$farm_program"
  chmod 755 "$farm_program"
}

# Before 4.4, make knows descriptors only, which emerge does not hand on.
farm_old_make() {
  farm_stand_in make <<'END'
#!/bin/bash
fifo=fifo:/dev/shm/farm-jobs
if [[ ${MAKEFLAGS-} == *--jobserver-auth=$fifo* ]]; then
  [[ -e /proc/self/fd/198 ]] || exec 198<>"${fifo#fifo:}"
  [[ $MAKEFLAGS == *--jobserver-auth=198,* ]] ||
    export MAKEFLAGS="${MAKEFLAGS/--jobserver-auth=$fifo/--jobserver-auth=198,198 -- --jobserver-auth=$fifo}"
fi
exec -a make /.farm/make "$@"
END
}

# Before 1.13, ninja knows no tokens. It is told how many were there for it, and they are put back when it ends. Tokens come
# while they are taken, so that a moment passes before there are no more.
farm_old_ninja() {
  farm_stand_in ninja <<'END'
#!/bin/bash
for word; do
  case $word in -t* | --version | -h | --help | -n) exec -a ninja /.farm/ninja "$@" ;; esac
done
most=${MAKEOPTS##*-j}
most=${most%%[!0-9]*}
exec 198<>/dev/shm/farm-jobs
taken=
while ((${#taken} + 1 < ${most:-1})) && IFS= read -r -N 1 -t 0.5 -u 198 token; do
  taken+=$token
done
/.farm/ninja "-j$((${#taken} + 1))" "$@"
status=$?
printf %s "$taken" >&198
exit "$status"
END
}

if command -v python3 >/dev/null && command -v bash >/dev/null && mkfifo -m 666 "$farm_jobs" 2>/dev/null; then
  # Held open by emerge: a client that comes before the first token finds an empty FIFO, and not one that blocks.
  exec 9<>"$farm_jobs"
  case $(make --version 2>/dev/null) in
  'GNU Make '[0-3].* | 'GNU Make '4.[0-3] | 'GNU Make '4.[0-3][!0-9]*) farm_old_make ;;
  esac
  case $(ninja --version 2>/dev/null) in
  '') ;;
  0.* | 1.[0-9] | 1.[0-9].* | 1.1[0-2] | 1.1[0-2].*) farm_old_ninja ;;
  esac
  export MAKEFLAGS="-j --jobserver-auth=fifo:$farm_jobs"
  # Told a number, ninja ignores the tokens; and with nothing here it would be told the one of MAKEOPTS.
  export NINJAOPTS=-v
fi
