#!/bin/sh
# Prints the words of the files that are its arguments, one a line, in lower case.
set -eu
cat "$@" | tr 'A-Z' 'a-z' | tr -cs 'a-z' '\n' | sed -e '/^$/d'
