#!/bin/sh
# MemoryFusionHub: seed 004, section E.
set -eu
exec service_entry.sh
