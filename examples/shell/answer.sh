#!/usr/bin/env bash
# One HTTP exchange on standard input and output: a signed request comes in, a signed answer goes out. See provider.sh.
set -euo pipefail
source "$(dirname "$0")/ogsig.sh"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
request=$work/request.xml

value() { xpath "$request" "string(/:Message/$1)"; }

# The row of the register for this document type and subject, as NAME=VALUE lines.
row() {
    awk -F, -v type="$1" -v scheme="$2" -v value="$3" '
        NR == 1 { split($0, names, ",") }
        $1 == type && $2 == scheme && $3 == value { for (at = 1; at <= NF; at++) print names[at] "=" $at; exit }' "$REGISTER"
}

answer() {
    verify "$AGENCY/ca.pem" "$request" || return
    local expires type fields body header
    expires=$(value :Header/:ExpiresAt) type=$(value :Body/:Ask/:DocumentType)
    [[ $(value :Header/:Kind) == request && $expires > $(instant) ]] || { echo 'no request, or an expired one' >&2; return 1; }
    header=(MessageId="$(message_id)" CreatedAt="$(instant)" ExpiresAt="$expires" From="$AGENCY_ID" To="$(value :Header/:From)")
    mapfile -t fields < <(row "$type" "$(value :Context/:Subject/:Id/@scheme)" "$(value :Context/:Subject/:Id)")
    if ((${#fields[@]})); then
        body=$(fill "${fields[0]#*=}.xml" "${header[@]}" "${fields[@]}" DocumentId="$(</proc/sys/kernel/random/uuid)")
    else
        body=$(fill no-record.xml DocumentType="$type" Register="$(basename "$REGISTER" .csv)")
    fi
    fill answer.xml "${header[@]}" InReplyTo="$(value :Header/:MessageId)" Sha256="$(digest "$request")" \
        Context="$(element "$request" /:Message/:Context)" Body="$body" | sign "$AGENCY" "${SIGN:-sign}"
}

# respond STATUS MEDIA-TYPE FILE
respond() {
    printf 'HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n' "$1" "$2" "$(stat -c %s "$3")"
    cat "$3"
}

length=0
while IFS= read -r line && line=${line%$'\r'} && [[ $line ]]; do
    if [[ ${line,,} =~ ^content-length:\ *([0-9]+)$ ]]; then length=${BASH_REMATCH[1]}; fi
done
head -c "$length" >"$request"
if answer >"$work/answer.xml" 2>"$work/reason"; then
    respond '200 OK' application/xml "$work/answer.xml"
else
    fill problem.xml Detail="$(<"$work/reason")" >"$work/problem.xml"
    respond '400 Bad Request' application/problem+xml "$work/problem.xml"
fi
