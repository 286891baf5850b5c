#!/usr/bin/env bash
# A holder that signs with xmlsec1: papers.sh AGENCY-DIR AGENCY-ID PORT FILE answers every question with the document in the file.
set -euo pipefail
if (($# == 4)); then
    export AGENCY=$1 AGENCY_ID=$2 DOCUMENT=$4
    tls=cert=$1/tls.pem,key=$1/tls.key,cafile=$1/ca.pem,verify=1
    exec socat "OPENSSL-LISTEN:$3,bind=127.0.0.1,reuseaddr,fork,$tls" EXEC:"$0"
fi
source "$(dirname "$0")/../../examples/shell/ogsig.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
length=0
while IFS= read -r line && line=${line%$'\r'} && [[ $line ]]; do
    if [[ ${line,,} =~ ^content-length:\ *([0-9]+)$ ]]; then length=${BASH_REMATCH[1]}; fi
done
head -c "$length" >"$work/request.xml"
verify "$AGENCY/ca.pem" "$work/request.xml"
value() { xpath "$work/request.xml" "string(/:Message/:Header/:$1)"; }
fill answer.xml MessageId="$(message_id)" InReplyTo="$(value MessageId)" Sha256="$(digest "$work/request.xml")" \
    From="$AGENCY_ID" To="$(value From)" CreatedAt="$(instant)" ExpiresAt="$(value ExpiresAt)" Context= Body="<Documents>$(<"$DOCUMENT")</Documents>" |
    sign "$AGENCY" sign >"$work/answer.xml"
printf 'HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' "$(stat -c %s "$work/answer.xml")"
cat "$work/answer.xml"
