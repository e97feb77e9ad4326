#!/bin/sh
# Runs once in the binfarm's root; its result is a layer of that root.
set -eu
mkdir -p /var/lib/tiny
echo "made by bootstrap.sh" > /var/lib/tiny/bootstrap
