#!/bin/bash
# Runs once in the binfarm's root, after the base and the literal files are there.
# What it changes becomes a layer of that root; run twice, it changes the same.
set -euo pipefail

# Who works in the images: not root, and of the same number in all of them.
getent group collector >/dev/null || groupadd --system --gid 300 collector
getent passwd collector >/dev/null || useradd --system --uid 300 --gid collector \
	--home-dir /var/src --shell /bin/bash collector
install --directory --owner=collector --group=collector --mode=0755 /var/src
