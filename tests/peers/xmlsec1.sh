#!/usr/bin/env bash
# xmlsec1 as a peer: xmlsec1.sh sign AGENCY-DIR KEY-NAME IN OUT | verify AGENCY-DIR FILE...
set -euo pipefail
source "$(dirname "$0")/../../examples/shell/ogsig.sh"
command=$1 agency=$2; shift 2
if [[ $command == sign ]]; then
    sign "$agency" "$1" <"$2" >"$3"
else
    for file; do
        if verify "$agency/ca.pem" "$file" 2>/dev/null; then echo "valid $(digest "$file")"; else echo refused; fi
    done
fi
