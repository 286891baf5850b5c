#!/usr/bin/env bash
# Asks at the desk of an agent: ask.sh PORT TOKEN-FILE DOCUMENT SCHEME:VALUE PURPOSE
set -euo pipefail
curl -s "http://127.0.0.1:$1/ask" -H "Authorization: Bearer $(<"$2")" \
    -d "{\"document\": \"$3\", \"of\": \"$4\", \"for\": \"$5\"}"
