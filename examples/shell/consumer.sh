#!/usr/bin/env bash
# Asks for a document: consumer.sh AGENCY-DIR GATEWAY-URL AGENCY-ID DOCUMENT-TYPE SCHEME:VALUE PURPOSE LEGAL-BASIS
set -euo pipefail
source "$(dirname "$0")/ogsig.sh"
[[ $# == 7 ]] || { sed -n 2p "$0" >&2; exit 2; }
agency=$1 url=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

id=$(message_id)
fill request.xml MessageId="$id" From="$3" CreatedAt="$(instant)" ExpiresAt="$(instant '5 minutes')" Purpose="$6" LegalBasis="$7" \
    Scheme="${5%%:*}" Value="${5#*:}" DocumentType="$4" | sign "$agency" "${SIGN:-sign}" >"$work/request.xml"

status=$(curl --silent --show-error --cacert "$agency/ca.pem" --cert "$agency/tls.pem" --key "$agency/tls.key" \
    --header 'Content-Type: application/xml' --data-binary "@$work/request.xml" \
    --output "$work/answer.xml" --write-out '%{http_code}' "$url/v1/messages")

if ((status >= 400)); then
    xpath "$work/answer.xml" 'concat(//:code, " ", //:detail)' >&2
    exit 3
elif ((status != 200)); then
    echo "not answered yet: GET $url/v1/messages/$id/answer" >&2
    exit 1
fi

verify "$agency/ca.pem" "$work/answer.xml"
reply=$(xpath "$work/answer.xml" 'concat(/:Message/:Header/:InReplyTo, " ", /:Message/:Header/:InReplyTo/@sha256)')
[[ $reply == "$id $(digest "$work/request.xml")" ]] || { echo 'the answer is to another request' >&2; exit 1; }
element "$work/answer.xml" /:Message/:Body
